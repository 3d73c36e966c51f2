import { describe, expect, it, vi } from "vitest";
import { expectCaught, expectSound } from "./expectations.js";
import { registers } from "./registers.js";
import type { RegistersOptions, RegistersVariant } from "./registers-world.js";

// Pure computing, some seconds of it: on a busy machine that takes a while.
vi.setConfig({ testTimeout: 90_000 });

const right: RegistersOptions = {
  variant: "right",
  clients: ["append", "append", "read"],
  from: "nothing",
  restarts: 0,
  restartsWith: "nothing",
  removals: false,
};
const deleted: RegistersOptions = {
  ...right,
  clients: ["append", "delete", "read"],
  from: "a deleted one",
  removals: true,
};
const retried: RegistersOptions = {
  ...right,
  clients: ["append", "delete", "create", "read"],
  from: "a deletion under way",
};
const kept: RegistersOptions = { ...deleted, restarts: 1, restartsWith: "nothing or a state of before" };

describe("a register is linearizable", () => {
  it("whatever is late, repeated or lost", () => {
    expectSound(registers(right));
    expectSound(registers({ ...right, clients: ["append", "append", "append"] }));
  });

  it("when it is deleted, and nothing of it stays", () => {
    expectSound(registers(deleted));
  });

  it("when it is made anew", () => {
    expectSound(registers({ ...deleted, clients: ["append", "delete", "append", "read"] }));
    expectSound(registers({ ...deleted, clients: ["append", "delete", "append", "append"] }));
  });

  it("when a change that may be on one primary is tried again", () => {
    expectSound(registers(retried));
  });

  it("when one primary after the other loses everything", () => {
    expectSound(registers({ ...right, clients: ["append", "append"], restarts: 2 }));
    expectSound(registers({ ...right, clients: ["append", "read"], restarts: 2 }));
  });

  it("when a primary comes back with what was deleted since", () => {
    expectSound(registers(kept));
  });

  it("when it is made anew beside a change of the configuration", () => {
    expectSound(registers({ ...deleted, clients: ["append", "delete", "append"], restarts: 1 }));
  });
});

describe("a register is not linearizable", () => {
  it.each([
    ["a ballot reused for another value", 8, right],
    ["accept without compare", 8, right],
    ["read from one primary", 5, right],
    ["a quorum of one", 3, right],
    ["a TTL in Redis", 11, right],
    ["a key deleted without raising the floor", 5, deleted],
    ["a key deleted below a promise", 10, { ...deleted, clients: ["append", "delete", "append", "append"] }],
    ["a key deleted that only a majority know as deleted", 7, deleted],
    ["a promise without a value dropped without raising the floor", 9, { ...right, removals: true }],
    ["a primary that forgot goes on", 7, { ...right, restarts: 1 }],
    ["no fence", 10, { ...right, restarts: 1 }],
    ["readmission that keeps its own registers", 15, kept],
    ["copying by the highest ballot alone", 15, kept],
    ["telling what was found below its own proposal", 12, retried],
  ] as const satisfies [RegistersVariant, number, RegistersOptions][])(
    "with %s",
    (variant, steps, bounds) => {
      const { history } = expectCaught(registers({ ...bounds, variant }), /no order/);
      expect(history).toHaveLength(steps + 1);
    },
  );
});
