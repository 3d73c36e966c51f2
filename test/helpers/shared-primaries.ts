import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { type SharedPrimaries, startPrimaries } from "./primaries.js";
import { currentRun } from "./run.js";

/**
 * Three primaries that every test file of this worker uses, one file after the other. They are not ended between two
 * files, nor is their data deleted: a file takes prefixes of its own (`ownPrefix`), and waits for no server to start.
 *
 * Nobody can end, freeze, empty or reconfigure them, or touch a key without such a prefix: the handle has no methods for
 * that, and the servers refuse the commands. For tests that must, there is `startPrimaries`.
 */
export async function sharedPrimaries(): Promise<SharedPrimaries> {
  known ??= findOrStart();
  const all = (await known).map((url) => ({ url, port: Number(new URL(url).port) }));
  return { all, urls: all.map(({ url }) => url) };
}

let known: Promise<readonly string[]> | undefined;

/** By the number of the worker: no two files with the same number run at the same time. */
async function findOrStart(): Promise<readonly string[]> {
  const note = join((await currentRun()).dir, `shared-${process.env.VITEST_POOL_ID ?? "0"}.json`);
  const found = await readFile(note, "utf8").catch(() => null);
  if (found !== null) return JSON.parse(found) as string[];
  // Whoever ends the run ends them; this process must not wait for them.
  const { urls } = await startPrimaries(3, { args: ["--appendfsync", "no"], outlive: true });
  await Promise.all(urls.map(restrict));
  await writeFile(`${note}.new`, JSON.stringify(urls));
  await rename(`${note}.new`, note);
  return urls;
}

/** Takes what could harm other tests from everybody. */
async function restrict(url: string): Promise<void> {
  const redis = new Redis(url, { protocol: 2 });
  try {
    const keys = ["resetkeys", `~${OWN_PREFIX}*`, "resetchannels", `&${OWN_PREFIX}*`];
    const setUser = (denied: readonly string[]) =>
      redis.call("ACL", "SETUSER", "default", ...keys, ...denied.map((name) => `-${name}`), "-acl");
    // Redis 6 has no rules for subcommands of what is otherwise allowed.
    await setUser([...COMMANDS, ...SUBCOMMANDS]).catch(() => setUser(COMMANDS));
  } finally {
    redis.disconnect();
  }
}

/** As `ownPrefix` makes them. */
const OWN_PREFIX = `t${"[0-9a-f]".repeat(12)}:`;
const COMMANDS = [
  "flushall",
  "flushdb",
  "shutdown",
  "debug",
  "replicaof",
  "slaveof",
  "swapdb",
  "failover",
  "monitor",
];
const SUBCOMMANDS = [
  ...["set", "rewrite", "resetstat"].map((name) => `config|${name}`),
  ...["flush", "kill"].map((name) => `script|${name}`),
  ...["kill", "pause", "unpause"].map((name) => `client|${name}`),
  ...["flush", "load", "delete", "restore", "kill"].map((name) => `function|${name}`),
];
