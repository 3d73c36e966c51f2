import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Instance, startInstance, until } from "../helpers/service.js";
import { sharedPrimaries } from "../helpers/shared-primaries.js";
import { Checkout, PATIENCE_MS } from "./checkout.js";

vi.setConfig({ testTimeout: 4 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

const checkout = new Checkout();
let instance: Instance;
let env: Record<string, string>;
beforeAll(async () => {
  instance = await startInstance((await sharedPrimaries()).urls);
  env = { QUORATE_URL: `http://127.0.0.1:1,${await instance.url()}` };
});
afterAll(() => instance[Symbol.asyncDispose]());

const node = (program: string, ...args: string[]) =>
  checkout.start("examples/javascript", [process.execPath, program, ...args], env);

describe("leader.mjs", () => {
  test("leads again when the leader dies, and hands over when it is told to end", async () => {
    const waiting = async (count: number) =>
      until(
        async () => (await instance.service.elections.inspect("billing")).waiting === count,
        "waiting",
        PATIENCE_MS,
      );
    const all = [node("leader.mjs", "billing")];
    await until(() => all[0]?.lines().length === 1, "the first leads", PATIENCE_MS);
    all.push(node("leader.mjs", "billing"));
    await waiting(1);
    all[0]?.kill("SIGKILL");
    await until(() => all[1]?.lines().length === 1, "the second leads", PATIENCE_MS);
    all.push(node("leader.mjs", "billing"));
    await waiting(1);
    all[1]?.kill("SIGTERM");
    expect(await all[1]?.ended).toBe(0);
    await until(() => all[2]?.lines().length === 1, "the third leads", PATIENCE_MS);

    const said = all.map((each) => each.lines());
    expect(said.map(([first]) => first)).toEqual(Array(3).fill(expect.stringMatching(/^leading, term \d+$/)));
    expect(said[1]?.slice(1)).toEqual(["finished"]);
    const terms = said.map(([first = ""]) => Number(first.split(" ")[2]));
    expect(terms).toEqual([...new Set(terms)].sort((one, other) => one - other));
    all[2]?.kill("SIGTERM");
    expect([await all[2]?.ended, all[2]?.err()]).toEqual([0, ""]);
  });
});

describe("shards.mjs", () => {
  /** Which shards each worker has, by what it wrote. */
  const heldBy = ({ lines }: { lines: () => readonly string[] }) => {
    const held = new Set<string>();
    for (const line of lines()) {
      const [shard = "", verb] = line.split(" ");
      if (verb === "begins,") held.add(shard);
      else held.delete(shard);
    }
    return [...held];
  };

  test("all shards have one worker, and those of a worker that dies or leaves go to the others", async () => {
    const [a, b, c] = ["a", "b", "c"].map((id) => node("shards.mjs", "search", id));
    if (!a || !b || !c) throw new Error("unreachable");
    const shared = (...workers: (typeof a)[]) =>
      until(
        () => {
          const all = workers.map(heldBy);
          return (
            all.flat().length === 16 &&
            new Set(all.flat()).size === 16 &&
            all.every(({ length }) => length > 0)
          );
        },
        "every shard has a worker",
        PATIENCE_MS,
      );
    await shared(a, b, c);
    c.kill("SIGKILL");
    await shared(a, b);
    b.kill("SIGTERM");
    expect([await b.ended, heldBy(b)]).toEqual([0, []]);
    await shared(a);
    a.kill("SIGTERM");
    expect([await a.ended, heldBy(a)]).toEqual([0, []]);
    expect((await instance.call("GET", "/v1/services/search/members")).body.members).toEqual([]);
  });
});

describe("limit.mjs", () => {
  test("two at a time, of five", async () => {
    // One file for all: what they write is in the order in which they wrote it.
    const path = join(checkout.dir, "limit.txt");
    await using file = await open(path, "a");
    const all = Array.from({ length: 5 }, () =>
      checkout.start("examples/javascript", [process.execPath, "limit.mjs", "reports"], env, file.fd),
    );
    expect(await Promise.all(all.map((each) => each.ended))).toEqual(Array(5).fill(0));
    let running = 0;
    const seen = (await readFile(path, "utf8"))
      .trim()
      .split("\n")
      .map((line) => (line === "begins" ? ++running : --running));
    expect([seen.length, running]).toEqual([10, 0]);
    // They may start too far apart for two to meet.
    expect(Math.max(...seen)).toBeLessThanOrEqual(2);
    expect((await instance.call("GET", "/v1/semaphores/reports")).body.limit).toBe(2);
  });
});

describe("call.mjs", () => {
  test("reaches a member that lives, and the same one for the same key", async () => {
    const members = ["m1", "m2", "m3"].map((id) => node("member.mjs", "things", id));
    await until(() => members.every(({ lines }) => lines().length === 1), "all are registered", PATIENCE_MS);
    const call = async () => {
      const { ended, lines, err } = node("call.mjs", "things", "user:42");
      return [await ended, lines()[0], err()];
    };
    const answer = (await call())[1] as string;
    expect(answer).toMatch(/^m\d answers \/things\/user:42$/);
    expect(await call()).toEqual([0, answer, ""]);

    // It is a member for some seconds more: the call goes to the next one.
    members[Number(answer[1]) - 1]?.kill("SIGKILL");
    expect(await call()).toEqual([0, expect.stringMatching(/^m\d answers/), ""]);
    expect((await call())[1]).not.toBe(answer);

    for (const member of members) member.kill("SIGTERM");
    await Promise.all(members.map(({ ended }) => ended));
    await until(
      async () => (await instance.call("GET", "/v1/services/things/members")).body.members.length === 0,
      "nobody is a member",
    );
    expect(await call()).toEqual([1, undefined, expect.stringContaining("things has no members")]);
  });
});

describe("pick.mjs", () => {
  test("reaches a member that lives, also when one of them has just died", async () => {
    const members = ["m1", "m2"].map((id) => node("member.mjs", "jobs", id));
    await until(() => members.every(({ lines }) => lines().length === 1), "all are registered", PATIENCE_MS);
    members[0]?.kill("SIGKILL");
    const { ended, lines, err } = node("pick.mjs", "jobs", "/jobs/42");
    expect([await ended, lines()[0], err()]).toEqual([0, "m2 answers /jobs/42", ""]);
    members[1]?.kill("SIGTERM");
    await members[1]?.ended;
  });
});

describe("on-expired.mjs", () => {
  test("starts what has died, once, and believes nobody who has not the secret", async () => {
    const key = "the-key-of-the-operator";
    await using hooked = await startInstance((await sharedPrimaries()).urls, {
      env: { QUORATE_HOOK_ALLOW: "127.0.0.0/8", QUORATE_OPERATOR_KEY: key },
    });
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/`;
    const operator = { authorization: `Bearer ${key}` };
    const made = await hooked.call("PUT", "/v1/services/search/hooks/restart", { url }, operator);
    const program = checkout.start("examples/javascript", [process.execPath, "on-expired.mjs", `${port}`], {
      HOOK_SECRET: made.body.secret,
    });
    await hooked.call("PUT", "/v1/services/search/members/search-1", { address: "a:1", ttlMs: 1_000 });
    await until(() => program.lines().length > 0, "it is told", PATIENCE_MS);
    const forged = { type: "expired", data: { id: "x", service: "search", member: { id: "search-2" } } };
    const headers = { "webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA" };
    const { status } = await fetch(url, { method: "POST", headers, body: JSON.stringify(forged) });
    expect(status).toBe(401);
    expect(program.lines()).toEqual(["search: search-1 has died, and is started again"]);
    program.kill("SIGKILL");
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
