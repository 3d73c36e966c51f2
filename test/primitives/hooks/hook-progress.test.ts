import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Hook, HookName, Progress } from "../../../src/primitives/hooks/hook.js";
import type { HookProgress } from "../../../src/primitives/hooks/hook-progress.js";
import { freshName, type Instance, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

let instance: Instance;
let progress: HookProgress;
beforeAll(async () => {
  instance = await startInstance((await sharedPrimaries()).urls);
  progress = instance.service.hooks.progress;
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

const hook: Hook = {
  id: "pager",
  url: "http://10.0.0.7/",
  events: null,
  secret: "whsec_",
  made: "made-1",
  since: "at-0",
};

/** What is known of a hook once an instance that had lost its lease said again where the hook was by then. */
async function afterOldHolder(save: (name: HookName, progress: Progress) => Promise<boolean>) {
  const name = { service: freshName("search"), id: "pager" };
  const old = await progress.claim(name.service, hook, 3);
  const next = await progress.claim(name.service, hook, 4);
  if (!old || !next) throw new Error("both have their turn");
  await progress.save(name, { ...next, position: "at-9" });
  const isNoted = await save(name, { ...old, position: "at-1" });
  return { isNoted, position: (await progress.read(name))?.position };
}

describe("how far a hook was told", () => {
  test("begins where the hook was made, and is known from then on", async () => {
    const name = { service: freshName("search"), id: "pager" };
    expect(await progress.read(name)).toBeNull();
    const begun = await progress.claim(name.service, hook, 3);
    expect(begun).toMatchObject({ token: 3, position: "at-0", failures: 0, deliveredAtMs: null });
    expect(await progress.save(name, { ...(begun as Progress), position: "at-1" })).toBe(true);
    expect(await progress.claim(name.service, hook, 4)).toMatchObject({ token: 4, position: "at-1" });
  });

  test("is never moved back by an instance whose lease is over", async () => {
    expect(await afterOldHolder((name, its) => progress.save(name, its))).toEqual({
      isNoted: false,
      position: "at-9",
    });
  });

  test("would be, and that would be found, if the token were not compared", async () => {
    const careless = async (name: HookName, its: Progress) =>
      (await progress.claim(name.service, { ...hook, made: "again", since: its.position }, 5)) !== null;
    expect((await afterOldHolder(careless)).position).toBe("at-1");
  });

  test("cannot be claimed by an instance with an older token", async () => {
    const { service } = { service: freshName("search") };
    await progress.claim(service, hook, 7);
    expect(await progress.claim(service, hook, 6)).toBeNull();
    expect((await progress.read({ service, id: "pager" }))?.token).toBe(7);
  });

  test("says nothing of a later hook with the same id", async () => {
    const name = { service: freshName("search"), id: "pager" };
    const begun = await progress.claim(name.service, hook, 3);
    await progress.save(name, { ...(begun as Progress), position: "at-5" });
    const later = await progress.claim(name.service, { ...hook, made: "made-2", since: "at-7" }, 4);
    expect(later?.position).toBe("at-7");
    await progress.forget(name);
    expect(await progress.save(name, later as Progress)).toBe(false);
    expect(await progress.read(name)).toBeNull();
  });
});
