import { describe, expect, it, vi } from "vitest";
import { expectCaught, expectSound } from "./expectations.js";
import { type NamesOptions, type NamesVariant, severalNames } from "./several-names.js";

// Pure computing, some seconds of it: on a busy machine that takes a while.
vi.setConfig({ testTimeout: 90_000 });

const right: NamesOptions = {
  variant: "right",
  wants: ["ab", "b"],
  counterMax: 0,
  holds: "end at any moment",
};

describe("a token for several names", () => {
  it("is unique and follows those of each of its names, whenever holds end name by name", () => {
    expectSound(severalNames(right));
    expectSound(severalNames({ ...right, wants: ["ab", "ab"] }));
  });

  it.each([
    ["each name counts for itself", 7],
    ["a raise of one name alone", 10],
    ["a raise where only some are held", 10],
  ] as const satisfies [NamesVariant, number][])("is not when: %s", (variant, steps) => {
    const { history } = expectCaught(
      severalNames({ ...right, counterMax: 1, variant }),
      /two leases of a name have token|does not follow/,
    );
    expect(history).toHaveLength(steps + 1);
  });
});

describe("several names", () => {
  it("have one holder each, as long as holds stay", () => {
    expectSound(severalNames({ ...right, counterMax: 1, holds: "stay" }));
  });

  it("have two when a primary grants those that are free", () => {
    const { history } = expectCaught(
      severalNames({ ...right, holds: "stay", variant: "a grant where only some are free" }),
      /two leases of a name have token|two leases hold/,
    );
    expect(history).toHaveLength(7);
  });
});
