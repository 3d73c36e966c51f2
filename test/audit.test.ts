import { mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { startPrimaries, type TestPrimaries } from "./helpers/primaries.js";
import { type ServiceProcess, startProcess } from "./helpers/process.js";
import { freshName, ownPrefix, PATIENT, until } from "./helpers/service.js";

// The audit of real processes.

let primaries: TestPrimaries;
beforeAll(async () => {
  primaries = await startPrimaries(3);
});
afterAll(() => primaries.close());

const start = (env: Record<string, string>): ServiceProcess =>
  startProcess({
    REDIS_URLS: primaries.urls.join(","),
    QUORATE_KEY_PREFIX: ownPrefix(),
    ...PATIENT,
    ...env,
  });

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "quorate-audit-"));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

/** Acquires a lock over a connection of its own, at whichever worker takes it. */
async function acquire(url: string, name: string): Promise<number> {
  const response = await fetch(`${url}/v1/locks/${name}/acquire`, {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close" },
    body: JSON.stringify({ ttlMs: 20_000 }),
  });
  await response.text();
  return response.status;
}

/** The names of the locks that were granted, by the lines of a file. */
async function granted(file: string): Promise<string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  const events = text.split("\n").slice(0, -1);
  const locks = events.map((line) => JSON.parse(line)).filter(({ what }) => what === "locks.acquire");
  return locks.map(({ names: [name] }) => name);
}

test("in a file that is moved away and opened again on SIGHUP, by every worker", async () => {
  const file = join(await folder(), "audit.log");
  await using service = start({ QUORATE_AUDIT: `file:${file}`, QUORATE_WORKERS: "2" });
  const url = await service.listening;
  const acquireSome = async (what: string) => {
    const names = Array.from({ length: 20 }, () => freshName(what));
    for (const name of names)
      await until(async () => (await acquire(url, name)) === 200, `${name} is granted`);
    return names;
  };
  const before = await acquireSome("before");
  await until(async () => (await granted(file)).length === before.length, "all lines are there");
  expect((await granted(file)).sort()).toEqual(before.sort());
  await rename(file, `${file}.1`);
  service.kill("SIGHUP");
  const openedAgain = () => service.out().split("the audit was opened again").length - 1;
  await until(() => openedAgain() === 2, "both workers have opened it again");
  const after = await acquireSome("after");
  await until(async () => (await granted(file)).length === after.length, "all new lines are in the new file");
  expect((await granted(`${file}.1`)).sort()).toEqual(before.sort());
  // The process lives on: this was not the signal that ends it.
  service.kill("SIGTERM");
  expect(await service.ended).toBe(0);
});

test("on standard output, among the lines of the log", async () => {
  await using service = start({ QUORATE_AUDIT: "stdout" });
  const url = await service.listening;
  await until(async () => (await acquire(url, "orders-42")) === 200, "it is granted");
  const lines = () =>
    service
      .out()
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  await until(() => lines().some(({ what }) => what === "locks.acquire"), "its line is there");
  const event = lines().find(({ what }) => what === "locks.acquire");
  expect(event).toMatchObject({ keyId: "anonymous", names: ["orders-42"], outcome: "granted" });
  expect(event).not.toHaveProperty("level");
});

test("that cannot be opened ends the start, with one line", async () => {
  await using service = start({ QUORATE_AUDIT: "file:/nowhere/audit.log" });
  expect(await service.ended).toBe(1);
  expect(service.err()).toBe(
    "quorate: QUORATE_AUDIT: /nowhere/audit.log cannot be opened for appending (ENOENT)\n",
  );
});
