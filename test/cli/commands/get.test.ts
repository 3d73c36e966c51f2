import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessBy, secretOf } from "../../helpers/access.js";
import { freshName, type Instance, startInstance, startOffline } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";
import { cli, startCli } from "../cli.js";
import { against, cells } from "./reading.js";

let instance: Instance;
let url: string;
beforeAll(async () => {
  instance = await startInstance((await sharedPrimaries()).urls);
  url = await instance.url();
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

const ask = (...args: string[]) => against(url, "get", ...args);
const post = async (path: string, body: object) => {
  const { status, body: answer } = await instance.call("POST", `/v1${path}`, body);
  expect(status).toBe(200);
  return answer;
};
const register = (service: string, id: string, more: object = {}) =>
  instance.call("PUT", `/v1/services/${service}/members/${id}`, { address: "10.0.0.7:9000", ...more });

describe("locks", () => {
  test("show who holds them, in units for people, and those that are free", async () => {
    const [held, free] = [freshName("held"), freshName("free")];
    const { fencingToken } = await post(`/locks/${held}/acquire`, { ttlMs: 600_000, owner: "worker-7" });
    const { code, out, err } = await ask("locks", held, free);
    expect([code, err]).toEqual([0, ""]);
    const [head, first, second] = cells(out);
    expect(head).toEqual(["NAME", "MODE", "OWNER", "HELD FOR", "EXPIRES IN", "TOKEN", "WAITING"]);
    expect(first?.slice(0, 3)).toEqual([held, "exclusive", "worker-7"]);
    expect(first?.[3]).toMatch(/^\d+ (ms|s)$/);
    expect(first?.[4]).toMatch(/^(9 min|10 min)( \d+ s)?$/);
    expect(first?.slice(5)).toEqual([String(fencingToken), "0"]);
    expect(second).toEqual([free, "free", "-", "-", "-", "-", "0"]);
  });

  test("have a line for each who shares one", async () => {
    const name = freshName("shared");
    for (const owner of ["a", "b"])
      await post(`/locks/${name}/acquire`, { ttlMs: 60_000, mode: "shared", owner });
    const [, ...lines] = cells((await ask("lock", name)).out);
    expect(lines.map(([lock, mode, owner]) => `${lock} ${mode} ${owner}`).sort()).toEqual([
      `${name} shared a`,
      `${name} shared b`,
    ]);
  });

  test("are what the API answers with --json, one text for each name, whatever their number", async () => {
    const [one, other] = [freshName("json"), freshName("json")];
    await post(`/locks/${one}/acquire`, { ttlMs: 600_000, owner: "worker-7", metadata: { build: "7f3a" } });
    const single = JSON.parse((await ask("locks", one, "--json")).out);
    const { heldForMs, expiresInMs, ...holder } = single.holders[0];
    expect({ ...single, holders: [holder] }).toMatchObject({
      name: one,
      mode: "exclusive",
      holders: [{ owner: "worker-7", metadata: { build: "7f3a" } }],
    });
    expect(heldForMs + expiresInMs).toBeGreaterThan(500_000);
    const { body } = await instance.call("GET", `/v1/locks/${other}`);
    const { out } = await ask("--json", "locks", other, other);
    expect(out).toBe(`${JSON.stringify(body, null, 2)}\n`.repeat(2));
  });

  test("of another namespace are asked for there", async () => {
    const name = freshName("team");
    await post(`/namespaces/team-a/locks/${name}/acquire`, { ttlMs: 60_000, owner: "of-team-a" });
    expect((await ask("locks", name, "--namespace", "team-a")).out).toContain("of-team-a");
    expect((await ask("locks", name)).out).toContain("free");
  });
});

test("what others wrote cannot steer the terminal, neither in tables nor in JSON", async () => {
  const name = freshName("evil");
  const owner = "\u001b[2Jworker\u009b31m\u202e\r\n7";
  await post(`/locks/${name}/acquire`, { ttlMs: 60_000, owner });
  const table = (await ask("locks", name)).out;
  expect(table).toContain("\\u001b[2Jworker\\u009b31m\\u202e\\u000d\\u000a7");
  const json = (await ask("locks", name, "--json")).out;
  for (const text of [table, json]) expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(JSON.parse(json).holders[0].owner).toBe(owner);
});

test("semaphores show each holder and their permits, and those that nobody uses", async () => {
  const [name, unused] = [freshName("permits"), freshName("unused")];
  await post(`/semaphores/${name}/acquire`, { ttlMs: 60_000, limit: 5, permits: 2, owner: "a" });
  await post(`/semaphores/${name}/acquire`, { ttlMs: 60_000, limit: 5, owner: "b" });
  const { code, out } = await ask("semaphores", name, unused);
  expect(code).toBe(0);
  const [, ...lines] = cells(out);
  expect(lines.map((line) => line.slice(0, 5).join(" ")).sort()).toEqual([
    `${name} 3 5 a 2`,
    `${name} 3 5 b 1`,
    `${unused} 0 - - -`,
  ]);
});

test("semaphores show the holders of all pages", async () => {
  const name = freshName("crowded");
  const acquired = Array.from({ length: 130 }, () =>
    post(`/semaphores/${name}/acquire`, { ttlMs: 60_000, limit: 200 }),
  );
  await Promise.all(acquired);
  const { holders, cursor } = JSON.parse((await ask("semaphore", name, "--json")).out);
  expect([holders.length, cursor]).toEqual([130, null]);
});

test("elections show leader, term and value, or that nobody leads", async () => {
  const [led, idle] = [freshName("led"), freshName("idle")];
  const value = { url: "http://10.0.0.7:9000" };
  const { term } = await post(`/elections/${led}/campaign`, { ttlMs: 60_000, candidate: "worker-7", value });
  const [, first, second] = cells((await ask("elections", led, idle)).out);
  expect(first?.slice(0, 3)).toEqual([led, "worker-7", String(term)]);
  expect(first?.slice(5)).toEqual([JSON.stringify(value), "0"]);
  expect(second?.slice(0, 3)).toEqual([idle, "(nobody)", "-"]);
});

describe("members", () => {
  test("that are there are printed, and one that is not ends it with 1 and one line", async () => {
    const service = freshName("search");
    await register(service, "search-1", { zone: "eu-1a", tags: ["canary", "new"] });
    const { code, out, err } = await ask("members", service, "search-1", "search-2");
    expect(code).toBe(1);
    expect(err).toMatch(/^quorate: Service \S+ has no member search-2: [^\n]+\n$/);
    const [head, line] = cells(out);
    expect(head?.slice(0, 5)).toEqual(["ID", "ADDRESS", "STATUS", "WEIGHT", "ZONE"]);
    expect(line?.slice(0, 6)).toEqual(["search-1", "10.0.0.7:9000", "up", "1", "eu-1a", "canary new"]);
    expect(line?.[6]).toMatch(/^\d+ (ms|s) ago$/);
  });

  test("that are all missing are told of in one line, as JSON too", async () => {
    const missing = await ask("members", freshName("none"), "a", "b", "--json");
    expect([missing.code, missing.out]).toEqual([1, ""]);
    const { error, code } = JSON.parse(missing.err);
    expect(code).toBe("unknown_member");
    expect(error).toMatch(/no member a.* 1 more of 2 failed/);
  });
});

describe("owners", () => {
  test("of keys are named with their replicas, as the API names them", async () => {
    const service = freshName("ring");
    await Promise.all(["s1", "s2", "s3"].map((id) => register(service, id)));
    const keys = ["user:42", "user:43", "späti/ü"];
    const { body } = await instance.call("POST", `/v1/services/${service}/owners`, { keys, replicas: 2 });
    const [, ...lines] = cells((await ask("owners", service, ...keys, "--replicas", "2")).out);
    const named = body.owners.map(({ key, owner, replicas }: { [field: string]: string | string[] }) => [
      key,
      owner,
      "10.0.0.7:9000",
      replicas?.[1],
    ]);
    expect(lines).toEqual(named);
    const json = JSON.parse((await ask("owners", service, ...keys, "--replicas", "2", "--json")).out);
    expect(json.owners).toEqual(body.owners);
    expect(json.ringId).toBe(body.ringId);
  });

  test("of the keys on the standard input are named in their order", async () => {
    const service = freshName("ring");
    await register(service, "s1");
    const started = startCli(
      ["get", "owners", service, "-", "last"],
      { QUORATE_URL: url },
      { stdio: "pipe" },
    );
    const keys = Array.from({ length: 2_500 }, (_, i) => `-key ${i}`);
    started.child.stdin?.end(`${keys.join("\r\n")}\n`);
    await once(started.child, "close");
    expect(started.err()).toBe("");
    const [, ...lines] = cells(started.out());
    expect(lines.map(([key]) => key)).toEqual([...keys, "last"]);
  });

  test("of a service without members do not exist", async () => {
    const { code, err } = await ask("owners", freshName("empty"), "k");
    expect(code).toBe(1);
    expect(err).toMatch(/^quorate: Service \S+ has no live member[^\n]*\n$/);
  });
});

describe("wrong use is one line, and ends with 64:", () => {
  test.each([
    { args: ["locks"], says: "missing required argument 'names'" },
    { args: ["lokcs", "a"], says: "unknown command 'lokcs'" },
    { args: ["locks", ".."], says: '".." is no name' },
    { args: ["locks", "a/../b"], says: '"a/../b" is no name' },
    { args: ["locks", "\u001b[31m"], says: '"\\u001b[31m" is no name' },
    { args: ["members", "search"], says: "missing required argument 'ids'" },
    { args: ["owners", "search", "k", "--replicas", "0"], says: "a whole number from 1 on" },
    { args: ["owners", "search", "-"], says: "there is no key on the standard input" },
    { args: ["locks", "a", "--", "b"], says: "nothing may follow --" },
  ])("$args", async ({ args, says }) => {
    const { code, out, err } = await ask(...args);
    expect([code, out]).toEqual([64, ""]);
    expect(err).toContain(says);
    expect(err).toMatch(/^quorate: [^\n]+\n$/);
  });
});

test("an instance that does not answer, and one without a quorum, end it with 69 and one line", async () => {
  await using offline = await startOffline();
  const [gone, alone] = await Promise.all([
    against("http://127.0.0.1:9", "get", "locks", "a"),
    against(await offline.url(), "get", "locks", "a"),
  ]);
  expect([gone.code, alone.code]).toEqual([69, 69]);
  expect(gone.err).toMatch(/^quorate: no instance answered[^\n]+\n$/);
  expect(alone.err).toMatch(/^quorate: 0 of 3 primaries [^\n]+\n$/);
}, 40_000);

test("a key that the service does not know, or that may not read this, ends it with 77 and one line", async () => {
  const reads = { namespace: "default", kinds: ["locks"], names: ["a"], actions: ["read"] } as const;
  using keys = await accessBy({ reader: [reads] });
  const { access } = keys;
  await using guarded = await startInstance((await sharedPrimaries()).urls, { world: { access } });
  const QUORATE_URL = await guarded.url();
  const as = (key: string, name: string) =>
    cli(["get", "locks", name], { QUORATE_URL, ...(key && { QUORATE_KEY: key }) });
  const [known, other, unknown, none] = await Promise.all([
    as(secretOf("reader"), "a"),
    as(secretOf("reader"), "b"),
    as("unknown", "a"),
    as("", "a"),
  ]);
  expect([known.code, other.code, unknown.code, none.code]).toEqual([0, 77, 77, 77]);
  for (const { err } of [other, unknown, none]) expect(err).toMatch(/^quorate: [^\n]+\n$/);
  expect(unknown.err).toContain("QUORATE_KEY");
});
