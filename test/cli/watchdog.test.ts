import { execFileSync } from "node:child_process";
import { cp, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import type { Quorate } from "../../src/client/quorate.js";
import { Pair } from "../helpers/pair.js";
import { startProcess } from "../helpers/process.js";
import { freshName, PATIENT, until } from "../helpers/service.js";
import { type Cli, clientsOf, cliMain, endAll, Folder, isAlive, startCli } from "./cli.js";

// The watchdog as it meets real processes: whatever happens to `quorate run`, its command has ended before another holds the
// lock.

const pair = new Pair();
const folder = new Folder();
let quorate: Quorate;
let env: { QUORATE_URL: string };
beforeAll(async () => {
  ({ quorate, env } = await clientsOf(pair));
});

/** A machine that is busy with other tests must be able to renew in time. */
const TTL = "8s";

/** A command with a child and a grandchild, all of them deaf to SIGTERM, under `quorate run`. */
async function running(name: string, more: Record<string, string> = env, args: readonly string[] = []) {
  const deaf = "trap 'echo told >> $F.told' TERM; trap '' HUP";
  const beat = "while :; do sleep 5; done";
  const script = `${deaf}; (${deaf}; (${beat}) & echo $! >> $F; ${beat}) & echo $$ $! >> $F; echo $PPID > $F.watchdog; ${beat}`;
  const run = startCli(["run", name, "--ttl", TTL, "--wait", "20s", ...args, "--", "sh", "-c", script], {
    ...more,
    F: folder.file(name),
  });
  const started = until(async () => (await folder.pids(name)).length === 3, "all have started", 20_000);
  await Promise.race([started, run.ended.then((code) => expect.fail(`ended with ${code}: ${run.err()}`))]);
  const pids = await folder.pids(name);
  const [watchdog = 0] = await folder.pids(`${name}.watchdog`);
  expect(pids.filter(isAlive)).toHaveLength(3);
  return { run, pids, watchdog, told: () => folder.written(`${name}.told`) };
}

/** What still ran at the moment at which another got the lock. */
async function leftWhenAcquired(name: string, pids: readonly number[]): Promise<number> {
  const lease = await quorate.acquireLock(name, { ttlMs: 20_000, waitMs: 40_000 });
  const left = pids.filter(isAlive).length;
  await lease.release();
  return left;
}

async function finish({
  run,
  pids,
  watchdog,
}: {
  run: Cli;
  pids: number[];
  watchdog: number;
}): Promise<void> {
  endAll([...pids, watchdog, run.pid]);
  await run.ended;
}

describe.concurrent("when quorate run", { timeout: 90_000 }, () => {
  test("is stopped for longer than the time to live, the command has ended before another holds the lock", async () => {
    const name = freshName();
    const all = await running(name);
    all.run.child.kill("SIGSTOP");
    expect(await leftWhenAcquired(name, all.pids)).toBe(0);
    // It was told first.
    expect(await all.told()).toContain("told");
    all.run.child.kill("SIGCONT");
    expect(await all.run.ended).toBe(76);
    expect(all.run.err()).toMatch(/^quorate: name-\d+ was lost, and the command was killed: [^\n]+\n/m);
  });

  test("and its watchdog are stopped, nobody ends it: without the watchdog the tests here would fail", async () => {
    const name = freshName();
    const all = await running(name);
    process.kill(all.watchdog, "SIGSTOP");
    all.run.child.kill("SIGSTOP");
    expect(await leftWhenAcquired(name, all.pids)).toBe(3);
    await finish(all);
  });

  test("is killed, the command is told at once, and has ended before another holds the lock", async () => {
    const name = freshName();
    const all = await running(name);
    all.run.child.kill("SIGKILL");
    expect(await all.told()).toContain("told");
    expect(await leftWhenAcquired(name, all.pids)).toBe(0);
    await until(() => !isAlive(all.watchdog), "the watchdog has ended");
  });

  test("is stopped for less than that, nothing happens", async () => {
    const name = freshName();
    const all = await running(name, env, ["--ttl", "20s"]);
    all.run.child.kill("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    all.run.child.kill("SIGCONT");
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(all.pids.filter(isAlive)).toHaveLength(3);
    expect((await pair.lock(name)).holders).toHaveLength(1);
    await finish(all);
  });
});

describe.concurrent("when the watchdog", { timeout: 90_000 }, () => {
  test("is killed, the command is, and quorate run says so", async () => {
    const name = freshName();
    const all = await running(name);
    process.kill(all.watchdog, "SIGKILL");
    expect(await all.run.ended).toBe(70);
    expect(all.pids.filter(isAlive)).toEqual([]);
    expect(all.run.err()).toMatch(/^quorate: [^\n]*watchdog[^\n]*\n$/);
    expect((await pair.lock(name)).holders).toEqual([]);
  });

  test("is asked to end by signals, it stays", async () => {
    const name = freshName();
    const all = await running(name);
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1"] as const)
      process.kill(all.watchdog, signal);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect([all.watchdog, ...all.pids].filter(isAlive)).toHaveLength(4);
    await finish(all);
  });

  test("cannot be started, neither is the command, and the lock is given back", async () => {
    const name = freshName();
    const dir = folder.file("without");
    const source = join(cliMain, "../../..");
    await cp(join(source, "src"), join(dir, "src"), { recursive: true });
    await cp(join(source, "package.json"), join(dir, "package.json"));
    await symlink(fileURLToPath(new URL("../../node_modules", import.meta.url)), join(dir, "node_modules"));
    await rm(join(dir, "src/cli/running/watchdog.js"));
    const run = startCli(["run", name, "--", "touch", folder.file(name)], env, {
      main: join(dir, "src/cli/main.js"),
    });
    expect(await run.ended).toBe(70);
    expect(run.err()).toMatch(/quorate: the watchdog [^\n]+\n$/);
    expect((await pair.lock(name)).holders).toEqual([]);
    await expect(rm(folder.file(name))).rejects.toThrow();
  });

  test("runs, it is in no session or group of the command, nor of quorate run", async () => {
    const name = freshName();
    const all = await running(name);
    const ids = (pid: number) =>
      execFileSync("ps", ["-o", "pgid=,sid=", "-p", String(pid)], { encoding: "utf8" })
        .trim()
        .split(/\s+/);
    const [run, watchdog, command, child] = [all.run.pid, all.watchdog, ...all.pids].map(ids);
    expect(watchdog).toEqual([String(all.watchdog), String(all.watchdog)]);
    expect(command).not.toEqual(watchdog);
    expect(run).not.toEqual(command);
    expect(child).toEqual(command);
    await finish(all);
  });
});

describe("when the instances", { timeout: 90_000 }, () => {
  const instance = () =>
    startProcess({
      REDIS_URLS: pair.primaries.urls.join(","),
      QUORATE_KEY_PREFIX: pair.prefix,
      ...PATIENT,
    });

  test.each([
    ["are paused", false],
    ["are paused, and so is the watchdog", true],
  ])("%s, the command has ended before another holds the lock", async (_what, isBlind) => {
    await using one = instance();
    await using other = instance();
    const name = freshName();
    const urls = [await one.listening, await other.listening];
    const all = await running(name, { QUORATE_URL: urls.join(",") });
    if (isBlind) process.kill(all.watchdog, "SIGSTOP");
    for (const each of [one, other]) each.kill("SIGSTOP");
    // By an instance that is not paused.
    expect(await leftWhenAcquired(name, all.pids)).toBe(0);
    expect(await all.run.ended).toBe(76);
    for (const each of [one, other]) each.kill("SIGCONT");
  });

  test("one after the other are restarted, the command does not notice", async () => {
    const name = freshName();
    const first = instance();
    await using second = instance();
    const urls = [await first.listening, await second.listening];
    const all = await running(name, { QUORATE_URL: urls.join(",") });
    await first[Symbol.asyncDispose]();
    await new Promise((resolve) => setTimeout(resolve, 9_000));
    expect(all.pids.filter(isAlive)).toHaveLength(3);
    expect((await pair.lock(name)).holders).toHaveLength(1);
    await finish(all);
  });
});
