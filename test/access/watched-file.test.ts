import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { WatchedFile } from "../../src/access/watched-file.js";
import { systemClock } from "../../src/clock.js";
import { FakeClock } from "../helpers/fake-clock.js";
import { until } from "../helpers/service.js";

/** A file in memory that is watched, and everything that was told of it. */
function setUp() {
  const clock = new FakeClock();
  const disk = { content: "one", signature: "1", failing: undefined as string | undefined, reads: 0 };
  const fail = () => {
    if (disk.failing !== undefined) throw Object.assign(new Error("failed"), { code: disk.failing });
  };
  const told: string[] = [];
  const file = new WatchedFile(
    "keys.yaml",
    clock,
    {
      changed: (content) => void told.push(content),
      unreadable: (reason) => void told.push(`unreadable: ${reason}`),
    },
    {
      signature: async () => {
        fail();
        return disk.signature;
      },
      read: async () => {
        fail();
        disk.reads++;
        return disk.content;
      },
    },
  );
  file.start("one");
  return { clock, disk, told, file };
}

describe("a watched file", () => {
  test("that changes is read within a second", async () => {
    const { clock, disk, told } = setUp();
    await clock.advance(10_000);
    expect(told).toEqual([]);
    Object.assign(disk, { content: "two", signature: "2" });
    await clock.advance(700);
    expect(told).toEqual(["two"]);
    await clock.advance(10_000);
    expect(told).toEqual(["two"]);
  });

  test("that is being written counts when it has been written", async () => {
    const { clock, disk, told } = setUp();
    await clock.advance(5_000);
    for (const part of ["t", "tw", "two"]) {
      Object.assign(disk, { content: part, signature: part });
      await clock.advance(300);
    }
    await clock.advance(600);
    expect(told).toEqual(["two"]);
  });

  test("that changes twice in one step of the file system's clock is read both times", async () => {
    const { clock, disk, told } = setUp();
    await clock.advance(5_000);
    Object.assign(disk, { content: "two", signature: "2" });
    await clock.advance(900);
    disk.content = "six";
    await clock.advance(900);
    expect(told).toEqual(["two", "six"]);
  });

  test("that does not change is not read all the time", async () => {
    const { clock, disk } = setUp();
    await clock.advance(5_000);
    const { reads } = disk;
    await clock.advance(60_000);
    expect(disk.reads).toBe(reads);
  });

  test("that is gone is told of once, and its content when it is back", async () => {
    const { clock, disk, told } = setUp();
    disk.failing = "ENOENT";
    await clock.advance(5_000);
    disk.failing = "EACCES";
    await clock.advance(5_000);
    disk.failing = undefined;
    disk.content = "two";
    await clock.advance(1_000);
    expect(told).toEqual(["unreadable: ENOENT", "unreadable: EACCES", "two"]);
  });

  test("is read at once when that is asked for", async () => {
    const { disk, told, file } = setUp();
    disk.content = "two";
    await file.reload();
    expect(told).toEqual(["two"]);
  });

  test("tells nothing after it was closed, and leaves no timer", async () => {
    const { clock, disk, told, file } = setUp();
    file.close();
    Object.assign(disk, { content: "two", signature: "2" });
    await clock.advance(5_000);
    await file.reload();
    expect(told).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

test("a real file is followed through the symlinks that Kubernetes swaps, each time within a second", async () => {
  const dir = await mkdtemp(join(tmpdir(), "quorate-watched-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  // keys.yaml -> ..data/keys.yaml; ..data -> ..1/
  const publish = async (version: string) => {
    await mkdir(join(dir, version));
    await writeFile(join(dir, version, "keys.yaml"), version);
    await symlink(version, join(dir, "..data_tmp"));
    await rename(join(dir, "..data_tmp"), join(dir, "..data"));
  };
  await publish("..1");
  const path = join(dir, "keys.yaml");
  await symlink("..data/keys.yaml", path);
  const told: string[] = [];
  const file = new WatchedFile(path, systemClock, {
    changed: (content) => void told.push(content),
    unreadable: (reason) => void told.push(reason),
  });
  onTestFinished(() => file.close());
  file.start("..1");
  for (const version of ["..2", "..3"]) {
    const sinceMs = performance.now();
    await publish(version);
    await until(async () => told.at(-1) === version, "it was read");
    expect(performance.now() - sinceMs).toBeLessThan(1_500);
    await rm(join(dir, version === "..2" ? "..1" : "..2"), { recursive: true });
    await sleep(10);
  }
  expect(told).toEqual(["..2", "..3"]);
});
