import { mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../../src/access/key-ring.js";
import { bearer, EVERYTHING, secretOf } from "../helpers/access.js";
import { type ServiceProcess, startProcess } from "../helpers/process.js";
import { until } from "../helpers/service.js";
import { send } from "../helpers/wire.js";

// The service as a process, by its keys file.

let dir: string;
let keysFile: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "quorate-keys-"));
  keysFile = join(dir, "keys.json");
});
afterEach(() => rm(dir, { recursive: true }));

const write = (...ids: string[]) =>
  writeFile(
    keysFile,
    JSON.stringify({
      keys: ids.map((id) => ({ id, sha256: [digestOf(secretOf(id))], grants: [EVERYTHING] })),
    }),
  );

const start = (env: Record<string, string> = {}): ServiceProcess =>
  startProcess({ QUORATE_EMBEDDED: "javascript", QUORATE_KEYS_FILE: keysFile, ...env });

const status = async (url: string, id: string, path = "/v1/primaries") =>
  (await send(url, { method: "GET", path, headers: bearer(id) })).status;

const linesOf = (service: ServiceProcess): { msg: string; worker?: number }[] =>
  service
    .out()
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line) => JSON.parse(line));

/** Whether all of many requests, each on a connection of its own, get this answer: so of each worker. */
async function all(url: string, id: string, expected: number): Promise<boolean> {
  const got = await Promise.all(Array.from({ length: 20 }, () => status(url, id)));
  return got.every((one) => one === expected);
}

describe("the service does not start", () => {
  test.each(["1", "2"])(
    "with keys that cannot be used: a line for each mistake (workers: %s)",
    async (workers) => {
      await writeFile(keysFile, '{"keys": [{"id": "a b", "sha256": ["x"], "grants": []}, {"id": "b"}]}');
      await using service = start({ QUORATE_WORKERS: workers });
      expect(await service.ended).toBe(1);
      const lines = service.err().trim().split("\n");
      expect(lines.length).toBe(3);
      for (const line of lines) expect(line).toMatch(/^quorate: .*keys\.json.*keys\[[01]\]/);
      expect(service.out()).not.toContain("listens on");
    },
  );

  test("without the file of its keys", async () => {
    await using service = start();
    expect(await service.ended).toBe(1);
    expect(service.err()).toBe(`quorate: QUORATE_KEYS_FILE: ${keysFile} cannot be read (ENOENT)\n`);
  });

  test("on an address of the network where everybody could take every lock", async () => {
    await using service = startProcess({ QUORATE_EMBEDDED: "javascript", HOST: "0.0.0.0" });
    expect(await service.ended).toBe(1);
    expect(service.err()).toMatch(
      /^quorate: HOST is "0\.0\.0\.0", .*QUORATE_KEYS_FILE.*QUORATE_INSECURE=1.*\n$/,
    );
  });
});

describe.each(["1", "2"])("with %s workers, new keys are in force", (workers) => {
  test("in each of them at once after SIGHUP, and the old ones are not; a broken file changes nothing", async () => {
    await write("old");
    await using service = start({ QUORATE_WORKERS: workers });
    const url = await service.listening;
    expect(await all(url, "old", 200)).toBe(true);
    expect(await status(url, "old", "/livez")).toBe(200);
    expect(await all(url, "new", 401)).toBe(true);
    await write("new");
    service.kill("SIGHUP");
    await until(() => all(url, "new", 200), "the new key is in force everywhere");
    await until(() => all(url, "old", 401), "the old one is in force nowhere");

    await writeFile(keysFile, "{");
    service.kill("SIGHUP");
    // A worker may see the change by itself as well, and then says it twice.
    const refusing = () =>
      new Set(
        linesOf(service)
          .filter(({ msg }) => msg.includes("keys.json is refused"))
          .map(({ worker = 1 }) => worker),
      );
    await until(() => refusing().size === Number(workers), "it is refused everywhere");
    expect(await all(url, "new", 200)).toBe(true);
    service.kill("SIGTERM");
    expect(await service.ended).toBe(0);
    for (const id of ["old", "new"]) {
      expect(service.out()).not.toContain(secretOf(id));
      expect(service.out()).not.toContain(digestOf(secretOf(id)));
    }
  });

  test("in each of them about a second after the file changed, also behind a symlink", async () => {
    const link = join(dir, "link.json");
    await write("old");
    await symlink("keys.json", link);
    await using service = start({ QUORATE_WORKERS: workers, QUORATE_KEYS_FILE: link });
    const url = await service.listening;
    expect(await all(url, "old", 200)).toBe(true);
    const firstFile = keysFile;
    keysFile = join(dir, "next.json");
    await write("new");
    await symlink("next.json", `${link}.new`);
    await rename(`${link}.new`, link);
    keysFile = firstFile;
    // A second is the promise; the machine of a test may be slow.
    await until(() => all(url, "new", 200), "the new key is in force everywhere", 3_000);
    // Not all of them may have been asked.
    await until(() => all(url, "old", 401), "the old one is in force nowhere", 3_000);
  });
});
