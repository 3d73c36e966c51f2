import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessBy, secretOf } from "../../helpers/access.js";
import { freshName, type Instance, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";
import { cli } from "../cli.js";

const KEY = "the-key-of-the-operator";

let instance: Instance;
let url: string;
beforeAll(async () => {
  instance = await startInstance((await sharedPrimaries()).urls, { env: { QUORATE_OPERATOR_KEY: KEY } });
  url = await instance.url();
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

const ask = (args: string[], env: Record<string, string> = { QUORATE_OPERATOR_KEY: KEY }) =>
  cli(["break", ...args], { QUORATE_URL: url, ...env });
const acquire = async (name: string) =>
  (await instance.call("POST", `/v1/locks/${name}/acquire`, { ttlMs: 60_000 })).body;

describe("a lock that is broken", () => {
  test("is free, and its holder is told the reason", async () => {
    const name = freshName();
    const { leaseId } = await acquire(name);
    const reason = "worker-7 hangs, see #1234";
    const { code, out, err } = await ask([name, "--reason", reason]);
    expect({ code, out, err }).toEqual({ code: 0, out: `${name}: 1 lease ended\n`, err: "" });
    const { body } = await instance.call("POST", `/v1/locks/${name}/renew`, { leaseId, ttlMs: 60_000 });
    expect(body.lost).toEqual({ why: "broken", reason });
  });

  test("is told of as the API does, with --json", async () => {
    const name = freshName();
    await acquire(name);
    const [first, second] = [
      await ask([name, "--reason", "x", "--json"]),
      await ask([name, "--reason", "x", "--json"]),
    ];
    expect([first.code, JSON.parse(first.out)]).toEqual([0, { broken: 1 }]);
    expect([second.code, JSON.parse(second.out), second.err]).toEqual([1, { broken: 0 }, ""]);
  });

  test("although nobody holds it is none: that ends it with 1 and one line", async () => {
    const name = freshName();
    const { code, out, err } = await ask([name, "--reason", "x"]);
    expect({ code, out, err }).toEqual({ code: 1, out: "", err: `quorate: ${name}: nobody holds it\n` });
  });
});

describe("the key", () => {
  test("of the operator comes before that of the user", async () => {
    const env = { QUORATE_OPERATOR_KEY: KEY, QUORATE_KEY: "of-the-user" };
    expect((await ask([freshName(), "--reason", "x"], env)).code).toBe(1);
  });

  test("of the user will do where it is granted that", async () => {
    const operates = { namespace: "*", kinds: ["locks"], names: ["*"], actions: ["operate"] } as const;
    using keys = await accessBy({ operator: [operates] });
    const { access } = keys;
    await using guarded = await startInstance((await sharedPrimaries()).urls, { world: { access } });
    const env = { QUORATE_URL: await guarded.url(), QUORATE_KEY: secretOf("operator") };
    expect((await ask([freshName(), "--reason", "x"], env)).err).toContain("nobody holds it");
  });

  test("that is missing or wrong ends it with 77, one line and no lock broken", async () => {
    const name = freshName();
    await acquire(name);
    for (const env of [{}, { QUORATE_OPERATOR_KEY: "wrong" }]) {
      const { code, err } = await ask([name, "--reason", "x"], env);
      expect(code).toBe(77);
      expect(err).toMatch(/^quorate: [^\n]+\n$/);
      expect(err).not.toContain("wrong");
    }
    expect((await instance.call("GET", `/v1/locks/${name}`)).body.mode).toBe("exclusive");
  });
});

describe("wrong use is one line, and ends with 64:", () => {
  test.each([
    { args: ["orders-42"], says: "--reason TEXT" },
    { args: ["orders-42", "--reason", " "], says: "--reason TEXT" },
    { args: ["orders-42", "--reason", "x".repeat(257)], says: "reason" },
    { args: ["orders-42", "--reason", "x", "--key", KEY], says: "QUORATE_KEY" },
    { args: [], says: "missing required argument" },
  ])("$args", async ({ args, says }) => {
    const { code, out, err } = await ask(args);
    expect([code, out]).toEqual([64, ""]);
    expect(err).toContain(says);
    expect(err).not.toContain(KEY);
    expect(err).toMatch(/^quorate: [^\n]+\n$/);
  });
});
