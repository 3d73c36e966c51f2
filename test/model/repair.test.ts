import { describe, expect, it, vi } from "vitest";
import { expectCaught, expectSound } from "./expectations.js";
import { repair } from "./repair.js";
import type { RepairOptions, RepairVariant } from "./repair-world.js";

// Pure computing, some seconds of it: on a busy machine that takes a while.
vi.setConfig({ testTimeout: 90_000 });

const right: RepairOptions = {
  variant: "right",
  modes: ["writer", "writer"],
  second: "none",
  renewals: 1,
  othersRenewals: 0,
  ending: "none",
  wipes: 0,
  clocks: "right",
  from: "nothing",
};
const late: RepairOptions = { ...right, from: "acquired late" };

describe("a lease that is renewed, and repaired where it is missing", () => {
  it("is the only one that holds the lock while clocks are right", () => {
    expectSound(repair(right));
    expectSound(repair({ ...late, renewals: 2 }));
  });

  it("is so beside the readmission of a wiped primary", () => {
    expectSound(repair({ ...late, wipes: 1 }));
  });

  it("is not renewed after a newer one was granted, whenever holds end", () => {
    expectSound(repair({ ...right, clocks: "wrong" }));
    expectSound(repair({ ...late, renewals: 2, clocks: "wrong" }));
  });

  it.each([
    ["renewed whatever was granted since", 15, right],
    ["repaired whoever had it since", 15, { ...late, renewals: 2 }],
  ] as const satisfies [RepairVariant, number, RepairOptions][])(
    "is renewed too late when it is %s",
    (variant, steps, bounds) => {
      const { history } = expectCaught(
        repair({ ...bounds, clocks: "wrong", variant }),
        /was renewed after \d was committed/,
      );
      expect(history).toHaveLength(steps + 1);
    },
  );

  it("loses the lock when a readmitted primary waits in no quarantine", () => {
    const { history } = expectCaught(
      repair({ ...late, wipes: 1, from: "acquired", variant: "no quarantine" }),
      /two leases hold the lock/,
    );
    expect(history).toHaveLength(11);
  });

  it.each([
    ["a renewal leaves no nonce", 11],
    ["a repair is a vote", 11],
  ] as const satisfies [RepairVariant, number][])(
    "loses the lock to clean-up of a request beside it when %s",
    (variant, steps) => {
      const { history } = expectCaught(
        repair({ ...right, from: "acquired", second: "gives up at once", variant }),
        /two leases hold the lock/,
      );
      expect(history).toHaveLength(steps + 1);
    },
  );
});

describe("a lease that was ended", () => {
  it("is not taken again by what comes late: a release", () => {
    expectSound(repair({ ...late, ending: "release" }));
    expectSound(repair({ ...late, ending: "release", modes: ["reader", "writer"], clocks: "wrong" }));
  });

  it("is not taken again by what comes late: a break", () => {
    expectSound(repair({ ...right, from: "acquired", ending: "break" }));
  });

  it.each([
    ["a release leaves nothing where it finds nothing", 4, late],
    ["a release leaves the counter", 9, late],
    ["a release trusts a repaired hold", 9, late],
    ["a reader's release leaves no tombstone", 9, { ...late, modes: ["reader", "writer"] }],
    ["a break leaves nothing where it finds nothing", 4, { ...late, ending: "break" }],
  ] as const satisfies [RepairVariant, number, RepairOptions][])(
    "is taken again when %s",
    (variant, steps, bounds) => {
      const { history } = expectCaught(
        repair({ ...bounds, ending: bounds.ending === "none" ? "release" : bounds.ending, variant }),
        /a majority hold for a lease that was ended/,
      );
      expect(history).toHaveLength(steps + 1);
    },
  );

  it("takes a newer one with it when a late break ends whoever holds", () => {
    const { history } = expectCaught(
      repair({ ...right, from: "acquired", ending: "break", variant: "a break ends whoever holds" }),
      /a late break ends a lease that began after it/,
    );
    expect(history).toHaveLength(9);
  });
});
