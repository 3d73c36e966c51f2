import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { readConfig } from "../src/config.js";

const path = fileURLToPath(new URL("../deploy/quorate.service", import.meta.url));
const hasSystemd = spawnSync("systemd-analyze", ["--version"]).status === 0;

describe("the unit for systemd", () => {
  let unit: string;
  beforeAll(async () => {
    unit = await readFile(path, "utf8");
  });
  const settingOf = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(unit)?.[1];

  test("gives the service the time that it takes to stop, and a file for each connection", () => {
    const { drainMs, connectionsMax } = readConfig({});
    // The longest delay that the documentation sets.
    expect(Number.parseInt(settingOf("TimeoutStopSec") ?? "", 10) * 1_000).toBeGreaterThan(3_000 + drainMs);
    expect(Number(settingOf("LimitNOFILE"))).toBeGreaterThan(2 * connectionsMax);
  });

  test("starts what `npm start` does, and again when it fails", async () => {
    const { scripts } = JSON.parse(await readFile(join(path, "../../package.json"), "utf8"));
    expect(`exec ${settingOf("ExecStart")}`).toBe(scripts.start.replace("node", "/usr/bin/node"));
    expect(settingOf("Restart")).toBe("on-failure");
  });

  test.skipIf(!hasSystemd)("is one that systemd understands", async () => {
    const dir = await mkdtemp(join(tmpdir(), "quorate-unit-"));
    onTestFinished(() => rm(dir, { recursive: true }));
    const here = join(dir, "quorate.service");
    // It looks for the program, too.
    await writeFile(here, unit.replace("/usr/bin/node", process.execPath));
    const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", here]);
    expect([status, `${stdout}${stderr}`]).toEqual([0, ""]);
  });
});

test("the containers start as they are composed: only this machine reaches them", async () => {
  const read = (file: string) => readFile(new URL(`../${file}`, import.meta.url), "utf8");
  const image = Object.fromEntries(
    [...((await read("Dockerfile")).match(/^ENV (.*)$/m)?.[1] ?? "").matchAll(/(\w+)=(\S+)/g)].map(
      ([, name, value]) => [name, value],
    ),
  ) as Record<string, string>;
  expect(image.HOST).toBe("0.0.0.0");
  // Alone, the image does not start before it is told who may use it.
  expect(() => readConfig(image)).toThrow("QUORATE_KEYS_FILE");
  const { services } = parse(await read("docker-compose.yml"), { merge: true }) as {
    services: Record<string, { environment?: Record<string, unknown>; ports?: string[] }>;
  };
  const published = Object.entries(services).filter(([, { ports }]) => ports);
  expect(published.map(([name]) => name)).toEqual(["quorate-1", "quorate-2"]);
  for (const [, { environment, ports = [] }] of published) {
    const env = Object.fromEntries(
      Object.entries(environment ?? {}).map(([name, value]) => [name, String(value)]),
    );
    expect(readConfig({ ...image, ...env }).insecure).toBe("1");
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  }
});
