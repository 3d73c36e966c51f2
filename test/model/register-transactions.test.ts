import { describe, expect, it, vi } from "vitest";
import { expectCaught, expectSound } from "./expectations.js";
import {
  registerTransactions,
  type TransactionsOptions,
  type TransactionsVariant,
} from "./register-transactions.js";

// Pure computing, some seconds of it: on a busy machine that takes a while.
vi.setConfig({ testTimeout: 90_000 });

type Clients = TransactionsOptions["clients"];

describe("registers that change together", () => {
  it.each<[string, Clients]>([
    ["two that change both, and a reader", ["move", "move", "get"]],
    ["one that changes both, one that reads both, and a reader", ["move", "sum", "get"]],
    ["one that changes both, and a writer and a reader of one", ["move", "put", "get"]],
    ["two that each check what the other changes, and a reader", ["left", "right", "get"]],
    ["three", ["move", "left", "sum"]],
  ])("are all there or none, whatever is late or never comes: %s", (_what, clients) => {
    expectSound(registerTransactions({ variant: "right", clients }));
  });

  it.each([
    ["an intent whose transaction is unknown taken for aborted", 9, ["move", "get"]],
    ["a reader shows the new value of an active one", 5, ["move", "get"]],
    ["no intents on what is read", 8, ["move", "sum"]],
    ["no intents on what is read", 8, ["left", "right"]],
    ["commit without comparing the creation", 8, ["move", "put"]],
    ["a record that goes before its intents", 10, ["move", "get"]],
    ["a writer that does not abort what it clears", 6, ["move", "put"]],
  ] as const satisfies [TransactionsVariant, number, Clients][])(
    "are not with %s",
    (variant, steps, clients) => {
      const { history } = expectCaught(registerTransactions({ variant, clients }), /true/);
      expect(history).toHaveLength(steps + 1);
    },
  );
});
