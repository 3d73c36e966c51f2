import { describe, expect, it, vi } from "vitest";
import { expectCaught, expectSound } from "./expectations.js";
import { readmission } from "./readmission.js";
import type { ReadmissionOptions, ReadmissionVariant } from "./readmission-world.js";

// Pure computing, some seconds of it: on a busy machine that takes a while.
vi.setConfig({ testTimeout: 90_000 });

const oneReconciler: ReadmissionOptions = {
  variant: "right",
  primaries: 3,
  clients: 2,
  reconcilers: 1,
  agreement: "in one step",
  ballots: 1,
  wipes: 1,
  marksLost: false,
  drops: 0,
  reading: "at once",
  clocks: "wrong",
};
const reconcilersAlone: ReadmissionOptions = {
  ...oneReconciler,
  clients: 0,
  reconcilers: 2,
  agreement: "by ballots",
  marksLost: true,
};

describe("the configuration", () => {
  it("is one of each version, whoever changes it at once, wherever one of them stops", () => {
    expectSound(readmission(reconcilersAlone));
    expectSound(readmission({ ...reconcilersAlone, ballots: 2 }));
  });

  it("is so when the primary is wiped again meanwhile", () => {
    expectSound(readmission({ ...reconcilersAlone, wipes: 2 }));
  });

  it.each([
    ["each writes its own configuration", 5, 1],
    ["a ballot used twice", 15, 1],
    ["an empty primary votes", 16, 2],
  ] as const)("splits when %s", (variant, steps, wipes) => {
    const { history } = expectCaught(
      readmission({ ...reconcilersAlone, variant, wipes }),
      /two configurations of one version/,
    );
    expect(history).toHaveLength(steps + 1);
  });

  it("can be stuck when the fence waits for the mark", () => {
    const variant = "the fence waits for the mark";
    const { history } = expectCaught(
      readmission({ ...reconcilersAlone, variant, wipes: 2 }),
      /cannot be finished/,
    );
    expect(history).toHaveLength(9);
  });
});

describe("tokens", () => {
  it("stay unique and ordered beside the readmission of a wiped primary", () => {
    expectSound(readmission(oneReconciler));
  });

  it.each([
    ["a wiped primary just goes on", 7, {}],
    ["no fence", 13, {}],
    ["copied before the fence", 15, {}],
    ["the wiped primary counts towards the fence", 13, {}],
    ["an attempt changes its configuration", 16, {}],
    ["a primary is known by its process", 17, { wipes: 2 }],
    // With right clocks there is less to explore.
    ["counters copied without floors", 17, { drops: 1, clocks: "right" }],
  ] as const satisfies [ReadmissionVariant, number, Partial<ReadmissionOptions>][])(
    "do not when: %s",
    (variant, steps, bounds) => {
      const { history } = expectCaught(
        readmission({ ...oneReconciler, ...bounds, variant }),
        /two leases have token|does not follow/,
      );
      expect(history).toHaveLength(steps + 1);
    },
  );
});

describe("a lock, while clocks are right", () => {
  it("has one holder beside the readmission of a wiped primary", () => {
    expectSound(readmission({ ...oneReconciler, clocks: "right" }));
  });

  it.each([
    ["no quarantine", 18, 1],
    ["the quarantine is not handed on", 27, 2],
  ] as const)("has two when: %s", (variant, steps, wipes) => {
    const { history } = expectCaught(
      readmission({ ...oneReconciler, clocks: "right", variant, wipes }),
      /two clients hold the lock/,
    );
    expect(history).toHaveLength(steps + 1);
  });
});
