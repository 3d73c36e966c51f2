import { beforeAll, expect, test } from "vitest";
import { command } from "./deployment.js";
import { ownPrefix } from "./names.js";
import type { SharedPrimary } from "./primaries.js";
import { sharedPrimaries } from "./shared-primaries.js";

// What one file does to the primaries that all files of a worker share must not reach another file.

let primary: SharedPrimary;
beforeAll(async () => {
  primary = (await sharedPrimaries()).all[0] as SharedPrimary;
});

test("a worker has three, which are the same whoever asks", async () => {
  const [once, again] = await Promise.all([sharedPrimaries(), sharedPrimaries()]);
  expect(new Set(once.urls).size).toBe(3);
  expect(again.urls).toEqual(once.urls);
});

test("keys and channels of an own prefix are open", async () => {
  const prefix = ownPrefix();
  expect(await command(primary, "SET", `${prefix}key`, "1")).toBe("OK");
  expect(await command(primary, "GET", `${prefix}key`)).toBe("1");
  expect(await command(primary, "PUBLISH", `${prefix}channel`, "1")).toBe(0);
});

test.each([
  ["SET", "key", "1"],
  ["GET", "q:configuration"],
  ["PUBLISH", "channel", "1"],
  ["EVAL", "return redis.call('SET', 'key', '1')", "0"],
  ["FLUSHALL"],
  ["FLUSHDB"],
  ["SHUTDOWN", "NOSAVE"],
  ["DEBUG", "SLEEP", "0"],
  ["REPLICAOF", "127.0.0.1", "1"],
  ["SWAPDB", "0", "1"],
  ["ACL", "SETUSER", "default", "+@all"],
])("%s %s is refused", async (...words) => {
  await expect(command(primary, ...words)).rejects.toThrow(REFUSED);
});

test.each([
  ["CONFIG", "SET", "maxmemory", "1mb"],
  ["CONFIG", "RESETSTAT"],
  ["SCRIPT", "FLUSH"],
  ["CLIENT", "KILL", "TYPE", "normal"],
  ["CLIENT", "PAUSE", "1"],
])("%s %s is refused (skipped before Redis 7, which has no rules for subcommands)", async (...words) => {
  const version = /redis_version:(\d+)/.exec(String(await command(primary, "INFO", "server")))?.[1];
  if (Number(version) < 7) return expect(version).toBe("6");
  await expect(command(primary, ...words)).rejects.toThrow("NOPERM");
});

/** As versions word it, and a server that has DEBUG for nobody. */
const REFUSED = /NOPERM|permission|can't access|not allowed/;
