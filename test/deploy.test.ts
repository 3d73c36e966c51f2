import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
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

  test("starts what a build makes, and again when it fails", async () => {
    const { bin } = JSON.parse(await readFile(join(path, "../../package.json"), "utf8"));
    expect(settingOf("ExecStart")).toBe(`/usr/bin/node ${bin.quorate}`);
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
