import { readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { beforeAll, describe, expect, test } from "vitest";
import type { Quorate } from "../../src/client/quorate.js";
import { Pair } from "../helpers/pair.js";
import { freePort } from "../helpers/primaries.js";
import { freshName, until } from "../helpers/service.js";
import { cli, clientsOf, endAll, Folder, isAlive, startCli } from "./cli.js";

const OPERATOR = "the-key-of-the-operator";
const pair = new Pair({ env: { QUORATE_OPERATOR_KEY: OPERATOR } });
const folder = new Folder();
let quorate: Quorate;
let env: { QUORATE_URL: string };
beforeAll(async () => {
  ({ quorate, env } = await clientsOf(pair));
});

const run = (...args: string[]) => cli(["run", ...args], env);
const start = (...args: string[]) => startCli(["run", ...args], env);
const sh = (script: string) => ["--", "sh", "-c", script];

const breakLock = (name: string) =>
  pair.one.call(
    "POST",
    `/v1/locks/${name}/break`,
    { reason: "a test" },
    { authorization: `Bearer ${OPERATOR}` },
  );

describe.concurrent("a command", { timeout: 60_000 }, () => {
  test("runs while the lock is held, knows its token, and has a terminal's or a pipe's input and output", async () => {
    const name = freshName();
    const running = startCli(
      ["run", name, ...sh("cat; echo $QUORATE_NAME $QUORATE_FENCING_TOKEN; echo bad >&2")],
      env,
      {
        stdio: ["pipe", "pipe", "pipe"],
      },
    );
    await until(async () => (await pair.lock(name)).holders.length === 1, "it is held");
    const { fencingToken } = await pair.lock(name);
    running.child.stdin?.end("from stdin\n");
    expect(await running.ended).toBe(0);
    expect(running.out()).toBe(`from stdin\n${name} ${fencingToken}\n`);
    expect(running.err()).toBe("bad\n");
    expect((await pair.lock(name)).holders).toEqual([]);
  });

  test("that outlasts the time to live keeps the lock", async () => {
    const name = freshName();
    expect(await run(name, "--ttl", "6s", ...sh("sleep 8"))).toEqual({ code: 0, out: "", err: "" });
  });

  test("shows others what --owner and --metadata say, or the machine and the process", async () => {
    const [one, other] = [freshName(), freshName()];
    const named = start(one, "--owner", "job 7", "--metadata", '{"a":1}', ...sh("sleep 30"));
    const plain = start(other, ...sh("sleep 30"));
    await until(
      async () => (await pair.lock(one)).holders.length + (await pair.lock(other)).holders.length === 2,
      "held",
    );
    expect((await pair.lock(one)).holders).toMatchObject([{ owner: "job 7", metadata: { a: 1 } }]);
    expect((await pair.lock(other)).holders).toMatchObject([
      { owner: expect.stringMatching(`^.+:${plain.pid}$`) },
    ]);
    for (const { child } of [named, plain]) child.kill();
    expect(await Promise.all([named.ended, plain.ended])).toEqual([143, 143]);
  });

  test("holds with others what is shared, and alone what is not", async () => {
    const name = freshName();
    await using _lease = await quorate.acquireLock(name, { ttlMs: 60_000, mode: "shared" });
    expect(await run(name, "--shared", ...sh("exit 5"))).toMatchObject({ code: 5 });
    expect(await run(name, ...sh("exit 5"))).toMatchObject({ code: 75 });
  });

  test("holds permits", async () => {
    const name = freshName();
    await using _permits = await quorate.acquirePermits(name, { ttlMs: 60_000, limit: 3, permits: 1 });
    expect(await run(name, "--limit", "3", "--permits", "2", ...sh("exit 5"))).toMatchObject({ code: 5 });
    expect(await run(name, "--limit", "3", "--permits", "3", ...sh("exit 5"))).toMatchObject({ code: 75 });
    const { code, err } = await run(name, "--limit", "4", ...sh("exit 5"));
    expect([code, err]).toEqual([64, expect.stringMatching(/^quorate: .*3.*\n$/)]);
  });

  test("in another namespace holds another lock", async () => {
    const name = freshName();
    await using _lease = await quorate.acquireLock(name, { ttlMs: 60_000 });
    expect(await run(name, "--namespace", "team-a", ...sh("exit 5"))).toMatchObject({ code: 5 });
  });
});

describe.concurrent("the exit code", { timeout: 60_000 }, () => {
  test.each([
    ["of the command", ["sh", "-c", "exit 3"], 3],
    ["of success", ["true"], 0],
    ["128 and the signal that ended it", ["sh", "-c", "kill -KILL $$"], 137],
    ["127, as no such command was found", ["no-such-command"], 127],
    ["126, as it is no program", ["/etc/passwd"], 126],
  ])("is that %s", async (_which, command, code) => {
    const ended = await run(freshName(), "--", ...command);
    expect(ended.code).toBe(code);
    expect(ended.err).toMatch(code === 126 || code === 127 ? /^quorate: [^\n]+\n$/ : /^$/);
  });

  test("is told in JSON without what could rewrite a terminal, as a table would be", async () => {
    const name = freshName();
    const owner = "web-2\u202e\u009b2J";
    await using _lease = await quorate.acquireLock(name, { ttlMs: 60_000, owner });
    const { err } = await run(name, "--json", "--", "true");
    expect(JSON.parse(err)).toMatchObject({ holder: { owner } });
    expect(err).not.toMatch(/[\u202e\u0080-\u009f]/);
  });

  test("is 75 when it is held, and says by whom; with --if-held skip it is 0, without a word", async () => {
    const name = freshName();
    await using _lease = await quorate.acquireLock(name, { ttlMs: 60_000, owner: "web-2" });
    const file = folder.file(name);
    const { code, err } = await run(name, ...sh(`touch ${file}`));
    expect([code, err]).toEqual([
      75,
      expect.stringMatching(/^quorate: name-\d+ is held by web-2 for [^\n]+\n$/),
    ]);
    expect(await run(name, "--if-held", "skip", ...sh(`touch ${file}`))).toEqual({
      code: 0,
      out: "",
      err: "",
    });
    const json = await run(name, "--json", ...sh(`touch ${file}`));
    expect(JSON.parse(json.err)).toMatchObject({ exitCode: 75, code: "held", holder: { owner: "web-2" } });
    const skipped = await run(name, "--json", "--if-held", "skip", ...sh(`touch ${file}`));
    expect(JSON.parse(skipped.err)).toMatchObject({ name, exitCode: 0, code: "held" });
    expect(() => readFileSync(file)).toThrow();
  });

  test("is 69 when no instance answers", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { code, err } = await cli(["run", freshName(), "--", "true"], { QUORATE_URL: url });
    const says = new RegExp(`^quorate: no instance answered: ${url}/[^\\n]+ECONNREFUSED[^\\n]+\\n$`);
    expect([code, err]).toEqual([69, expect.stringMatching(says)]);
  });

  test("is 76 when the lease was lost: the command is told, and the line says why", async () => {
    const name = freshName();
    const running = start(
      name,
      "--ttl",
      "2s",
      ...sh(`trap 'echo told; exit 0' TERM; echo $$ > ${folder.file(name)}; sleep 60 & wait`),
    );
    await folder.pids(name);
    expect(await breakLock(name)).toMatchObject({ status: 200 });
    expect(await running.ended).toBe(76);
    expect(running.out()).toBe("told\n");
    expect(running.err()).toMatch(/^quorate: name-\d+ was lost, and the command was told to end: [^\n]+\n$/);
  });

  test("and the outcome are told as JSON with --json", async () => {
    const name = freshName();
    const { code, err } = await run(name, "--json", ...sh("exit 3"));
    expect([code, JSON.parse(err)]).toEqual([
      3,
      { name, fencingToken: expect.any(Number), lost: false, code: 3, signal: null, exitCode: 3 },
    ]);
  });
});

describe.concurrent("--wait", { timeout: 60_000 }, () => {
  test("waits for the turn of this process", async () => {
    const name = freshName();
    const lease = await quorate.acquireLock(name, { ttlMs: 60_000 });
    const running = start(name, "--wait", "30s", ...sh("echo here"));
    await pair.untilWaiting(name, 1);
    expect(running.out()).toBe("");
    await lease.release();
    expect(await running.ended).toBe(0);
    expect([running.out(), running.err()]).toEqual(["here\n", ""]);
  });

  test("gives up when it is over", async () => {
    const name = freshName();
    await using _lease = await quorate.acquireLock(name, { ttlMs: 60_000 });
    const { code, err } = await run(name, "--wait", "300ms", ...sh("true"));
    expect([code, err]).toEqual([75, expect.stringContaining("not free within 300 ms")]);
  });

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "ends with %s, and leaves the queue",
    async (signal) => {
      const name = freshName();
      await using _lease = await quorate.acquireLock(name, { ttlMs: 60_000 });
      const running = start(name, "--wait", "1h", ...sh("true"));
      await pair.untilWaiting(name, 1);
      running.child.kill(signal);
      expect(await running.ended).toBe(128 + constants.signals[signal]);
      await pair.untilWaiting(name, 0);
    },
  );

  test("of more than one request can wait keeps its place", { timeout: 60_000 }, async () => {
    const name = freshName();
    const lease = await quorate.acquireLock(name, { ttlMs: 60_000 });
    const order = folder.file(name);
    const first = start(name, "--wait", "1m", ...sh(`echo first >> ${order}`));
    await pair.untilWaiting(name, 1);
    // Until the first has asked again: one request waits for 20 s at most.
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    const second = start(name, "--wait", "1m", ...sh(`echo second >> ${order}`));
    await pair.untilWaiting(name, 2);
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    await lease.release();
    expect(await Promise.all([first.ended, second.ended])).toEqual([0, 0]);
    expect(readFileSync(order, "utf8")).toBe("first\nsecond\n");
  });
});

describe.concurrent("--at-least", { timeout: 60_000 }, () => {
  const heldFor = async (name: string) => (await pair.lock(name)).holders[0]?.expiresInMs ?? 0;

  test("keeps the name held after the command, and does not wait for that", async () => {
    const name = freshName();
    expect(await run(name, "--ttl", "5s", "--at-least", "5m", ...sh("exit 4"))).toMatchObject({ code: 4 });
    expect(await heldFor(name)).toBeGreaterThan(200_000);
    expect(await heldFor(name)).toBeLessThanOrEqual(300_000);
    expect(await run(name, ...sh("true"))).toMatchObject({ code: 75 });
  });

  test("has no effect on a command that took longer", async () => {
    const name = freshName();
    expect(await run(name, "--at-least", "500ms", ...sh("sleep 0.7"))).toMatchObject({ code: 0 });
    expect(await heldFor(name)).toBe(0);
  });

  test("ends when it is over, also where the lease lasts longer: then it waits, and gives it back", async () => {
    const name = freshName();
    const startMs = performance.now();
    expect(await run(name, "--ttl", "1m", "--at-least", "2s", ...sh("true"))).toMatchObject({ code: 0 });
    expect(performance.now() - startMs).toBeGreaterThan(1_900);
    expect(await heldFor(name)).toBe(0);
  });

  test("of more than the service allows is waited for, until the rest is not", async () => {
    await using strict = await pair.instance({ env: { QUORATE_TTL_MAX_MS: "3000" } });
    const name = freshName();
    const running = startCli(["run", name, "--ttl", "3s", "--at-least", "6s", "--", "true"], {
      QUORATE_URL: await strict.url(),
    });
    const startMs = performance.now();
    expect(await running.ended).toBe(0);
    expect(performance.now() - startMs).toBeGreaterThan(2_000);
    expect(running.err()).toBe("");
    // The last renewal is for the rest.
    expect(await heldFor(name)).toBeGreaterThan(0);
    expect(performance.now() - startMs + (await heldFor(name))).toBeGreaterThan(5_000);
  });
});

describe.concurrent("signals", { timeout: 60_000 }, () => {
  test.each(["INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "WINCH"])(
    "SIG%s reaches the command",
    async (signal) => {
      const name = freshName();
      const script = `trap 'echo got ${signal}; exit 7' ${signal}; echo $$ > ${folder.file(name)}; while :; do sleep 0.1; done`;
      const running = start(name, ...sh(script));
      await folder.pids(name);
      running.child.kill(`SIG${signal}` as NodeJS.Signals);
      expect(await running.ended).toBe(7);
      expect(running.out()).toBe(`got ${signal}\n`);
      expect((await pair.lock(name)).holders).toEqual([]);
    },
  );

  test("reach what the command has started as well", async () => {
    const name = freshName();
    const running = start(name, ...sh(`sleep 60 & echo $$ $! > ${folder.file(name)}; wait`));
    const pids = await folder.pids(name);
    running.child.kill("SIGTERM");
    expect(await running.ended).toBe(143);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test("that come before the command runs end it", async () => {
    const name = freshName();
    const file = folder.file(name);
    // The lock is granted, and the command has not begun for sure: it was waited for until now.
    const lease = await quorate.acquireLock(name, { ttlMs: 60_000 });
    const running = start(name, "--wait", "1m", ...sh(`sleep 5; touch ${file}`));
    await pair.untilWaiting(name, 1);
    await lease.release();
    await until(async () => (await pair.lock(name)).holders.length === 1, "it is held");
    running.child.kill("SIGTERM");
    expect(await running.ended).toBe(143);
    expect(() => readFileSync(file)).toThrow();
  });
});

describe.concurrent("what the command has started", { timeout: 60_000 }, () => {
  test("and left behind may finish what it writes, before the lock is given back", async () => {
    const name = freshName();
    const { code, out } = await run(name, ...sh("(sleep 0.3; echo last words) & exit 0"));
    expect([code, out]).toEqual([0, "last words\n"]);
  });

  test("and left behind is ended before the lock is given back", async () => {
    const name = freshName();
    const running = start(
      name,
      ...sh(`sh -c 'trap "" TERM HUP; sleep 60' & echo $! > ${folder.file(name)}; exit 6`),
    );
    const pids = await folder.pids(name);
    expect(await running.ended).toBe(6);
    expect(pids.filter(isAlive)).toEqual([]);
    expect((await pair.lock(name)).holders).toEqual([]);
  });

  test("and what that has started is killed with it when the lease was lost", async () => {
    const name = freshName();
    const deaf = "trap '' TERM INT HUP";
    writeFileSync(
      folder.file(`${name}.sh`),
      `${deaf}; (${deaf}; sleep 60 & echo $! >> ${folder.file(`${name}.all`)}; wait) & echo $$ $! >> ${folder.file(`${name}.all`)}; wait`,
    );
    const running = start(name, "--ttl", "5s", "--", "sh", folder.file(`${name}.sh`));
    await until(async () => (await folder.pids(`${name}.all`)).length === 3, "all have started");
    const pids = await folder.pids(`${name}.all`);
    expect(pids.filter(isAlive)).toHaveLength(3);
    await breakLock(name);
    expect(await running.ended).toBe(76);
    expect(pids.filter(isAlive)).toEqual([]);
    endAll(pids);
  });
});
