import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshName, type Instance, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";
import { against } from "./reading.js";

let instance: Instance;
let url: string;
beforeAll(async () => {
  instance = await startInstance((await sharedPrimaries()).urls);
  url = await instance.url();
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

async function service(...ids: string[]): Promise<string> {
  const name = freshName("search");
  for (const id of ids) {
    const body = { address: `${id}:9000`, zone: id, tags: [id, "all"] };
    await instance.call("PUT", `/v1/services/${name}/members/${id}`, body);
  }
  return name;
}

const pick = (...args: string[]) => against(url, "pick", ...args);
const drain = (...args: string[]) => against(url, "drain", ...args);

describe.concurrent("quorate pick", { timeout: 60_000 }, () => {
  test("prints the addresses of members in turn", async () => {
    const name = await service("a", "b");
    const answers = [await pick(name), await pick(name), await pick(name)];
    expect(answers.map(({ code, err }) => ({ code, err }))).toEqual(Array(3).fill({ code: 0, err: "" }));
    const turns = answers.map(({ out }) => out);
    expect(turns[2]).toBe(turns[0]);
    expect(turns.slice(0, 2).toSorted()).toEqual(["a:9000\n", "b:9000\n"]);
  });

  test("prints several, one on each line, and says what had to give", async () => {
    const name = await service("a", "b", "c");
    const more = ["--strategy", "weighted", "--count", "2", "--zone", "b", "--tag", "all", "--exclude", "c"];
    const { code, out, err } = await pick(name, ...more);
    expect([code, out]).toEqual([0, "b:9000\na:9000\n"]);
    expect(err).toBe(`quorate: ${name}: too few members in zone b: others are picked\n`);
    await instance.call("PATCH", `/v1/services/${name}/members/a`, { status: "draining" });
    const last = await pick(name, "--tag", "a");
    expect([last.out, last.err]).toEqual([
      "a:9000\n",
      `quorate: ${name}: no member is up: what is picked is draining\n`,
    ]);
  });

  test("picks the same member for a key, and prints what the API answers with --json", async () => {
    const name = await service("a", "b", "c");
    const { body } = await instance.call("GET", `/v1/services/${name}/owner?key=user:42`);
    const { out, err } = await pick(name, "user:42", "--max-load", "2.5", "--json");
    expect(err).toBe("");
    const picked = JSON.parse(out);
    expect(picked).toMatchObject({ members: [{ id: body.owner.id }], fallbacks: [] });
    expect(picked.alternatives).toHaveLength(2);
  });

  test("of nobody ends it with 1 and one line", async () => {
    for (const args of [[freshName()], [await service("a"), "--exclude", "a"]]) {
      const { code, out, err } = await pick(...args);
      expect([code, out]).toEqual([1, ""]);
      expect(err).toMatch(/^quorate: Service [^\n]+\n$/);
    }
  });

  test("by what the service does not have is wrong use", async () => {
    const { code, err } = await pick(await service("a"), "--strategy", "fastest");
    expect(code).toBe(64);
    expect(err).toMatch(/^quorate: strategy: [^\n]+\n$/);
  });
});

describe.concurrent("quorate drain", { timeout: 60_000 }, () => {
  const member = async (name: string) => (await instance.call("GET", `/v1/services/${name}/members/a`)).body;

  test("gives a member no more work, until that is undone", async () => {
    const name = await service("a");
    const { code, out, err } = await drain(name, "a");
    expect({ code, out, err }).toEqual({ code: 0, out: `a of ${name} drains until it leaves\n`, err: "" });
    expect(await member(name)).toMatchObject({ status: "draining", endsInMs: null });
    expect((await drain(name, "a", "--undo")).out).toBe(`a of ${name} is up\n`);
    expect(await member(name)).toMatchObject({ status: "up" });
  });

  test("for a time tells when it is removed", async () => {
    const name = await service("a");
    expect((await drain(name, "a", "--for", "5m")).out).toMatch(/ drains, and is removed in [45] min/);
    const { out } = await drain(name, "a", "--for", "5m", "--json");
    expect(JSON.parse(out)).toMatchObject({ id: "a", status: "draining" });
  });

  test("of a member that is not there ends it with 1, and of two minds with 64", async () => {
    const name = await service("a");
    expect(await drain(name, "b")).toMatchObject({ code: 1, out: "" });
    expect(await drain(name, "a", "--undo", "--for", "5s")).toMatchObject({ code: 64, out: "" });
    expect(await drain(name, "a/b")).toMatchObject({ code: 64, out: "" });
  });
});
