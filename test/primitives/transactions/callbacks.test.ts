import { afterAll, beforeAll, expect, test } from "vitest";
import { Callbacks, type TransactionName } from "../../../src/primitives/transactions/callbacks.js";
import { Keys } from "../../../src/scripts/keys.js";
import { registerName } from "../../../src/scripts/register-kinds.js";
import { type Instance, ownPrefix, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

let instance: Instance;
let callbacks: Callbacks;
beforeAll(async () => {
  const prefix = ownPrefix();
  instance = await startInstance((await sharedPrimaries()).urls, { prefix });
  const { registers, primaries } = instance.service;
  callbacks = new Callbacks(registers, primaries, new Keys(prefix));
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

const callees = { urls: { stock: "http://127.0.0.1:9/" }, secret: "whsec_", caller: "one" };
const named = (id: string, namespace = "default"): TransactionName => ({ namespace, id });

test("what is put first stays, until all have acknowledged", async () => {
  const name = named("a", "team-a");
  expect(await callbacks.put(name, callees)).toBe(true);
  expect(await callbacks.put(name, { ...callees, caller: "other" })).toBe(false);
  expect(await callbacks.read(name)).toEqual(callees);
  await callbacks.forget(name);
  expect(await callbacks.read(name)).toBeNull();
});

test("of several instances that take over from the same one, one does", async () => {
  const name = named("b");
  await callbacks.put(name, callees);
  const claims = await Promise.all(["two", "three", "four"].map((by) => callbacks.claim(name, by, "one")));
  const [claimed, ...others] = claims.filter((one) => one !== null);
  expect(others).toEqual([]);
  expect(await callbacks.read(name)).toEqual(claimed);
  expect(await callbacks.claim(named("nobody"), "two", "one")).toBeNull();
  await callbacks.forget(name);
});

test("all are listed, also those that are more than one script reads, and at most as many as were asked for", {
  timeout: 60_000,
}, async () => {
  const ids = Array.from({ length: 2_050 }, (_, i) => `id-${String(i).padStart(4, "0")}`);
  for (let at = 0; at < ids.length; at += 100) {
    const some = ids.slice(at, at + 100).map((id) => registerName("callbacks", "default", id));
    await Promise.all(some.map((name) => instance.service.registers.put(name, { json: "{}", ttlMs: null })));
  }
  const listed = (await callbacks.list(10_000)).filter(({ id }) => id.startsWith("id-"));
  expect(listed.map(({ id }) => id)).toEqual(ids);
  expect(await callbacks.list(1_500)).toHaveLength(1_500);
});
