import { describe, expect, test } from "vitest";
import type { Accusation } from "../../src/primitives/members/suspicions.js";
import { MemberProbe } from "../../src/probing/member-probe.js";
import type { ProbeOutcome } from "../../src/probing/probe.js";
import { FakeClock } from "../helpers/fake-clock.js";

const INTERVAL_MS = 1_000;

/** A member that is probed every second by one of so many instances, in virtual time. */
function probing({ instances = 1, windowMs = 10_000 } = {}) {
  const clock = new FakeClock();
  const looks: number[] = [];
  const reports: (Omit<Accusation, "reporter"> & { readonly atMs: number })[] = [];
  let next: ProbeOutcome = "ok";
  let refuses = false;
  const probed = { service: "s", id: "m", incarnation: 1, ttlMs: 10_000, intervalMs: INTERVAL_MS, instances };
  const one = new MemberProbe(probed, {
    clock,
    random: () => 0.5,
    look: async () => {
      looks.push(clock.monotonicMs());
      return { outcome: next, detail: "ECONNREFUSED" };
    },
    report: async (accusation) => {
      if (refuses) throw new Error("no quorum");
      reports.push({ ...accusation, atMs: clock.monotonicMs() });
      return { suspect: true, reporters: 1, reportersNeeded: 3, windowMs };
    },
    seen: () => {},
  });
  void one.run();
  return {
    clock,
    looks,
    reports,
    probed,
    one,
    become: (outcome: ProbeOutcome) => {
      next = outcome;
    },
    refuse: (is: boolean) => {
      refuses = is;
    },
  };
}

describe("a member", () => {
  test("is probed every interval, from a random moment on", async () => {
    const { clock, looks } = probing();
    await clock.advance(3_400);
    expect(looks).toEqual([500, 1_500, 2_500]);
  });

  test("that three instances share is probed by each of them in every third interval, and in each while it fails", async () => {
    const { clock, looks, become } = probing({ instances: 3 });
    await clock.advance(5_000);
    expect(looks).toEqual([1_500, 4_500]);
    become("failed");
    await clock.advance(4_500);
    expect(looks.slice(2)).toEqual([7_500, 8_500, 9_500]);
  });

  test("is reported after three failures in a row, by an instance alone with all the weight that it takes", async () => {
    const { clock, reports, become } = probing();
    become("timeout");
    await clock.advance(2_499);
    expect(reports).toEqual([]);
    await clock.advance(1);
    expect(reports).toEqual([{ reason: "probe: ECONNREFUSED", weight: 3, atMs: 2_500 }]);
  });

  test("is reported after two by each of several", async () => {
    const { clock, reports, become } = probing({ instances: 2 });
    become("failed");
    await clock.advance(2_000);
    expect(reports).toMatchObject([{ weight: 1.5, atMs: 2_000 }]);
  });

  test("that fails now and then is not reported", async () => {
    const { clock, reports, become } = probing();
    for (let i = 0; i < 20; i++) {
      become(i % 3 === 0 ? "ok" : "failed");
      await clock.advance(INTERVAL_MS);
    }
    expect(reports).toEqual([]);
  });

  test.each(["late", "forbidden"] as const)("is not reported for probes that are %s", async (outcome) => {
    const { clock, reports, become } = probing();
    become(outcome);
    await clock.advance(20_000);
    expect(reports).toEqual([]);
  });

  test("that goes on failing is reported again when half the window is over: it counts as repeated then", async () => {
    const { clock, reports, become } = probing();
    become("failed");
    await clock.advance(14_000);
    expect(reports.map(({ atMs }) => atMs)).toEqual([2_500, 7_500, 12_500]);
  });

  test("whose report could not be stored is reported at the next failure", async () => {
    const { clock, reports, become, refuse } = probing();
    become("failed");
    refuse(true);
    await clock.advance(3_000);
    refuse(false);
    await clock.advance(1_000);
    expect(reports.map(({ atMs }) => atMs)).toEqual([3_500]);
  });

  test("is not probed any more once that is stopped, and no timer stays", async () => {
    const { clock, looks, one } = probing();
    await clock.advance(600);
    one.stop();
    await clock.advance(10_000);
    expect(looks).toEqual([500]);
  });

  test("is probed one at a time, however long an answer takes", async () => {
    const clock = new FakeClock();
    let underWay = 0;
    let most = 0;
    const one = new MemberProbe(
      { service: "s", id: "m", incarnation: 1, ttlMs: 10_000, intervalMs: INTERVAL_MS, instances: 1 },
      {
        clock,
        random: () => 0,
        look: async () => {
          most = Math.max(most, ++underWay);
          await clock.sleep(5_000);
          underWay -= 1;
          return { outcome: "ok", detail: "" };
        },
        report: () => Promise.reject(new Error("none")),
        seen: () => {},
      },
    );
    void one.run();
    await clock.advance(60_000);
    expect(most).toBe(1);
    one.stop();
  });
});
