import { describe, expect, it, vi } from "vitest";
import { expectCaught, expectSound } from "./expectations.js";
import { sharedLease } from "./shared-lease.js";

// Pure computing, some seconds of it: on a busy machine that takes a while.
vi.setConfig({ testTimeout: 90_000 });

const right = { nonces: true, tombstones: true, holds: "stay", counterMax: 0 } as const;

describe("a leaseId in two requests", () => {
  it("never has the lock beside another lease, whichever request gives up, and never again after its release", () => {
    expectSound(sharedLease(right));
  });

  it("loses the lock to another lease when clean-up knows no nonces", () => {
    const { history } = expectCaught(sharedLease({ ...right, nonces: false }), /two leases hold the lock/);
    expect(history).toHaveLength(11);
  });

  it("takes the lock again after its release when that leaves no tombstone", () => {
    const { history } = expectCaught(sharedLease({ ...right, tombstones: false }), /a released id holds/);
    expect(history).toHaveLength(10);
  });
});
