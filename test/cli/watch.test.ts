import { describe, expect, test } from "vitest";
import { KILL_AFTER_MS, limitsOf } from "../../src/cli/running/limits.js";
import { sleeplessClock } from "../../src/cli/running/sleepless-clock.js";
import { Watch } from "../../src/cli/running/watch.js";
import { FakeClock } from "../helpers/fake-clock.js";

// The watchdog in virtual time. What it does to real processes is in watchdog.test.ts.

/** A group that ends as a test says, and what happened to it. */
class FakeGroup {
  alive = true;
  readonly seen: string[] = [];

  constructor(
    readonly clock: { monotonicMs(): number },
    readonly endsBy: readonly string[] = ["SIGTERM", "SIGKILL"],
  ) {}

  kill(signal: string): void {
    if (!this.alive) return;
    if (signal !== "SIGCONT") this.seen.push(`${signal} ${Math.round(this.clock.monotonicMs())}`);
    if (this.endsBy.includes(signal)) this.alive = false;
  }

  isAlive = () => this.alive;
}

function watched(endsBy?: readonly string[], limits = { termAtMs: 5_000, killAtMs: 7_000 }) {
  const clock = new FakeClock();
  const group = new FakeGroup(clock, endsBy);
  const told: string[] = [];
  const watch = new Watch(clock, group, limits, {
    told: () => void told.push("told"),
    gone: () => void told.push("gone"),
  });
  return { clock, group, told, watch };
}

describe("a command", () => {
  test("without news is told to end early, and killed in time", async () => {
    const { clock, group, told } = watched(["SIGKILL"]);
    await clock.advance(20_000);
    expect(group.seen).toEqual(["SIGTERM 5000", "SIGKILL 7000"]);
    expect(told).toEqual(["told"]);
  });

  test("whose lease is renewed goes on", async () => {
    const { clock, group, watch } = watched();
    for (let n = 1; n <= 10; n++) {
      await clock.advance(4_000);
      watch.extend({ termAtMs: n * 4_000 + 5_000, killAtMs: n * 4_000 + 7_000 });
    }
    expect(group.seen).toEqual([]);
  });

  test("that was told in vain, and whose lease is renewed after all, is not killed then", async () => {
    const { clock, group, watch } = watched(["SIGKILL"]);
    await clock.advance(6_000);
    watch.extend({ termAtMs: 11_000, killAtMs: 13_000 });
    await clock.advance(6_000);
    expect(group.seen).toEqual(["SIGTERM 5000"]);
    await clock.advance(2_000);
    expect(group.seen).toEqual(["SIGTERM 5000", "SIGKILL 13000"]);
  });

  test("whose lease is lost is told at once, and killed soon, whatever is heard later", async () => {
    const { clock, group, watch } = watched(["SIGKILL"]);
    await clock.advance(1_000);
    watch.end(2_000);
    watch.extend({ termAtMs: 50_000, killAtMs: 50_000 });
    await clock.advance(5_000);
    expect(group.seen).toEqual(["SIGTERM 1000", "SIGKILL 2000"]);
  });

  test("whose parent was killed has no longer than its lease", async () => {
    const { clock, group, watch } = watched(["SIGKILL"]);
    await clock.advance(4_000);
    watch.end(4_000 + KILL_AFTER_MS);
    await clock.advance(5_000);
    expect(group.seen).toEqual(["SIGTERM 4000", "SIGKILL 7000"]);
  });

  test("that has ended leaves nothing behind: it is gone when all of its group are", async () => {
    const { clock, group, told, watch } = watched([]);
    watch.left();
    await clock.advance(500);
    expect(told).toEqual([]);
    group.alive = false;
    await clock.advance(20);
    expect([group.seen, told]).toEqual([[], ["gone"]]);
  });

  test("that has ended, and whose children go on, is gone when these were ended", async () => {
    const { clock, group, told, watch } = watched(["SIGKILL"]);
    watch.left();
    await clock.advance(3_000);
    expect(group.seen.map((each) => each.split(" ")[0])).toEqual(["SIGTERM", "SIGKILL"]);
    // They are not the command: that ended by itself.
    expect(told).toEqual(["gone"]);
  });

  test("whose children cannot be ended is over at last", async () => {
    const { clock, told, watch } = watched([]);
    watch.left();
    await clock.advance(4_000);
    expect(told).toEqual(["gone"]);
  });

  test("and nothing is looked at any more when it is gone", async () => {
    const { clock, group, watch } = watched();
    group.alive = false;
    watch.left();
    await clock.advance(10);
    expect(clock.pending).toBe(0);
  });
});

test("there is time between the two signals, and between the second and the end of the lease", () => {
  for (const ttlMs of [1_000, 3_000, 10_000, 30_000, 600_000]) {
    const { termAtMs, killAtMs } = limitsOf(ttlMs, ttlMs);
    expect(ttlMs - killAtMs).toBeGreaterThanOrEqual(50);
    expect(killAtMs - termAtMs).toBeGreaterThanOrEqual(ttlMs / 60);
    // Renewals that fail have been repeated for a while.
    expect(termAtMs).toBeGreaterThan(0.6 * ttlMs);
  }
});

describe("the clock", () => {
  /** A machine that sleeps. */
  function machine(isLinux = true) {
    const at = { awakeMs: 1_000, asleepMs: 400 };
    const kernel = {
      monotonicMs: () => at.awakeMs,
      uptimeMs: isLinux ? () => Math.floor((at.awakeMs + at.asleepMs) / 10) * 10 : undefined,
    };
    return { at, kernel };
  }

  test("goes on while the machine sleeps", () => {
    const { at, kernel } = machine();
    const clock = sleeplessClock(undefined, kernel);
    expect(clock.monotonicMs()).toBe(1_000);
    at.awakeMs += 5_000;
    expect(clock.monotonicMs()).toBe(6_000);
    at.asleepMs += 60_000;
    expect(clock.monotonicMs()).toBeGreaterThan(65_900);
    expect(clock.monotonicMs()).toBeLessThanOrEqual(66_000);
  });

  test("is the same in another process, also when that has slept already", () => {
    const { at, kernel } = machine();
    const clock = sleeplessClock(undefined, kernel);
    at.asleepMs += 60_000;
    expect(sleeplessClock(clock.zeroMs, kernel).monotonicMs()).toBe(clock.monotonicMs());
  });

  test("does not step where the kernel's uptime has less resolution", () => {
    const { at, kernel } = machine();
    const clock = sleeplessClock(undefined, kernel);
    for (; at.awakeMs < 1_100; at.awakeMs += 0.7) expect(clock.monotonicMs()).toBe(at.awakeMs);
  });

  test("is that of the kernel where that goes on by itself", () => {
    const { at, kernel } = machine(false);
    const clock = sleeplessClock(undefined, kernel);
    at.asleepMs += 60_000;
    expect(clock.monotonicMs()).toBe(1_000);
  });

  test("of this machine runs", () => {
    const clock = sleeplessClock();
    const other = sleeplessClock(clock.zeroMs);
    const one = clock.monotonicMs();
    expect(other.monotonicMs()).toBeGreaterThanOrEqual(one);
    expect(other.monotonicMs() - one).toBeLessThan(5_000);
  });

  test("ends a command that slept past its time as soon as the machine is awake", async () => {
    const awake = new FakeClock();
    let asleepMs = 0;
    const clock = sleeplessClock(undefined, {
      monotonicMs: awake.monotonicMs,
      uptimeMs: () => awake.monotonicMs() + asleepMs,
    });
    const group = new FakeGroup(awake);
    const limits = { termAtMs: 25_000, killAtMs: 29_000 };
    new Watch({ ...clock, after: awake.after }, group, limits, { told: () => {}, gone: () => {} });
    await awake.advance(1_000);
    asleepMs = 3_600_000;
    await awake.advance(250);
    expect(group.seen).toHaveLength(1);
    expect(group.seen[0]).toMatch(/^SIGKILL 1[0-2]\d\d$/);
  });
});
