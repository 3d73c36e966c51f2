import { beforeAll, describe, expect, test } from "vitest";
import type { Quorate } from "../../src/client/quorate.js";
import { Pair } from "../helpers/pair.js";
import { freshName, until } from "../helpers/service.js";
import { cli, clientsOf, Folder, isAlive, startCli } from "./cli.js";

const OPERATOR = "the-key-of-the-operator";
const pair = new Pair({ env: { QUORATE_OPERATOR_KEY: OPERATOR } });
const folder = new Folder();
let quorate: Quorate;
let env: { QUORATE_URL: string };
beforeAll(async () => {
  ({ quorate, env } = await clientsOf(pair));
});

const leads = (file: string, then = "sleep 60") => [
  "--",
  "sh",
  "-c",
  `echo $QUORATE_FENCING_TOKEN >> ${file}; ${then}`,
];
const call = async (path: string, body?: object) =>
  (await pair.one.call(body ? "POST" : "GET", path, body, { authorization: `Bearer ${OPERATOR}` })).body;
const leader = async (name: string) => (await call(`/v1/elections/${name}`)).leader;

describe.concurrent("quorate elect", { timeout: 90_000 }, () => {
  test("runs the command of the leader, and that of the next one when it is gone", async () => {
    const name = freshName();
    const files = [folder.file(`${name}.1`), folder.file(`${name}.2`)] as const;
    const first = startCli(
      ["elect", name, "--candidate", "one", "--value", '{"at":1}', ...leads(files[0])],
      env,
    );
    const [term = 0] = await folder.pids(`${name}.1`);
    expect(await leader(name)).toMatchObject({ candidate: "one", term, value: { at: 1 } });
    const second = startCli(["elect", name, "--candidate", "two", ...leads(files[1])], env);
    await until(async () => (await call(`/v1/elections/${name}`)).waiting === 1, "the second waits");
    first.child.kill("SIGTERM");
    expect(await first.ended).toBe(143);
    const [next = 0] = await folder.pids(`${name}.2`);
    expect(next).toBeGreaterThan(term);
    expect(await leader(name)).toMatchObject({ candidate: "two", term: next });
    second.child.kill("SIGINT");
    expect(await second.ended).toBe(130);
    expect(await leader(name)).toBeNull();
  });

  test("ends with a command that ends by itself, and resigns", async () => {
    const name = freshName();
    expect(await cli(["elect", name, "--", "sh", "-c", "exit 3"], env)).toEqual({
      code: 3,
      out: "",
      err: "",
    });
    expect(await leader(name)).toBeNull();
  });

  test("ends a command whose term is lost, and runs it again when it leads again", async () => {
    const name = freshName();
    const file = folder.file(name);
    const pid = folder.file(`${name}.pid`);
    const run = startCli(["elect", name, "--ttl", "8s", ...leads(file, `echo $$ >> ${pid}; sleep 60`)], env);
    const [one = 0] = await folder.pids(`${name}.pid`);
    // Of an election no operator can break the lease.
    run.child.kill("SIGSTOP");
    await until(async () => (await leader(name)) === null, "the term is over", 20_000);
    expect(isAlive(one)).toBe(false);
    run.child.kill("SIGCONT");
    await until(async () => (await folder.pids(name)).length === 2, "it leads again", 20_000);
    const [before = 0, after = 0] = await folder.pids(name);
    expect(after).toBeGreaterThan(before);
    expect(run.err()).toMatch(/^quorate: name-\d+ was lost, and the command was told to end: [^\n]+\n$/);
    run.child.kill("SIGTERM");
    expect(await run.ended).toBe(143);
  });

  test("is stopped for longer than its term: the command has ended before another leads", async () => {
    const name = freshName();
    const pid = folder.file(`${name}.pid`);
    const run = startCli(
      ["elect", name, "--ttl", "8s", ...leads(folder.file(name), `echo $$ > ${pid}; sleep 60`)],
      env,
    );
    const pids = await folder.pids(`${name}.pid`);
    run.child.kill("SIGSTOP");
    const left = await quorate.lead(name, { ttlMs: 20_000, onElected: async () => pids.filter(isAlive) });
    expect(left).toEqual([]);
    run.child.kill("SIGKILL");
    await run.ended;
  });

  test("that never leads ends with a signal, and is no candidate any more", async () => {
    const name = freshName();
    const stop = new AbortController();
    const leading = quorate.lead(name, {
      ttlMs: 60_000,
      signal: stop.signal,
      onElected: (_, told) =>
        new Promise((resolve) => told.addEventListener("abort", () => resolve(undefined))),
    });
    const run = startCli(["elect", name, "--", "true"], env);
    await until(async () => (await call(`/v1/elections/${name}`)).waiting === 1, "it waits");
    run.child.kill("SIGTERM");
    expect(await run.ended).toBe(143);
    await until(async () => (await call(`/v1/elections/${name}`)).waiting === 0, "it does not wait");
    stop.abort();
    await leading;
  });

  test("without a right to be a candidate says so", async () => {
    const { code, err } = await cli(["elect", "no name", "--", "true"], env);
    expect([code, err]).toEqual([64, expect.stringMatching(/^quorate: name: [^\n]+\n$/)]);
  });
});
