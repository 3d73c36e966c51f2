import { describe, expect, it, vi } from "vitest";
import { expectCaught, expectSound } from "./expectations.js";
import { type ParityOptions, type ParityVariant, parity } from "./parity.js";

// Pure computing, some seconds of it: on a busy machine that takes a while.
vi.setConfig({ testTimeout: 90_000 });

const right: ParityOptions = {
  variant: "right",
  modes: ["writer", "reader"],
  floorMax: 0,
  lifts: 2,
  ends: "any",
  releases: false,
};

describe("tokens by parity", () => {
  it("keep writers apart from each other and from readers, whenever holds end and floors rise", () => {
    expectSound(parity({ ...right, floorMax: 1, lifts: 1 }));
  });

  it("do so when writers release", () => {
    expectSound(parity({ ...right, floorMax: 1, lifts: 0, releases: true }));
  });

  it("are shared by readers between two writers", () => {
    expectSound(parity({ ...right, modes: ["reader", "reader", "writer"], lifts: 0, ends: 3 }));
    expectSound(parity({ ...right, modes: ["writer", "writer", "reader"], lifts: 0, ends: 3 }));
  });

  it.each([
    ["writers count by one", 7],
    ["readers do without the raise", 9],
    ["a raise ignores parity", 18],
  ] as const satisfies [ParityVariant, number][])("are wrong when %s", (variant, steps) => {
    const { history } = expectCaught(parity({ ...right, variant }), /two leases have token|does not follow/);
    expect(history).toHaveLength(steps + 1);
  });
});
