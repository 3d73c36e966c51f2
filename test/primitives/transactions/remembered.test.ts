import { describe, expect, test } from "vitest";
import { REMEMBERED_MS, type Transaction, uuidV7 } from "../../../src/algorithms/two-phase.js";
import { systemIds } from "../../../src/ids.js";
import type { Changes } from "../../../src/primitives/registers/changes.js";
import type { Changed, Decision, Moment, State } from "../../../src/primitives/registers/proposals.js";
import { Transactions } from "../../../src/primitives/transactions/transactions.js";
import { FakeClock } from "../../helpers/fake-clock.js";

// For how long transactions are remembered, and what is told of those that are not, by the clocks of the primaries.

const HOUR_MS = 3_600_000;
const NOW_MS = 1_790_000_000_000;
const DECIDED: Transaction = {
  state: "committed",
  decision: "committed",
  reason: null,
  participants: [{ name: "a", vote: "yes", acknowledged: false }],
  payload: null,
  begunBy: "x",
};
const ENDED: Transaction = {
  ...DECIDED,
  state: "ended",
  participants: [{ name: "a", vote: "yes", acknowledged: true }],
};

/** One register, as the primaries have it, and what is written there. */
function stored(transaction: Transaction | null, { isOver = false } = {}) {
  const kept = {
    json: transaction && JSON.stringify(transaction),
    ttlMs: undefined as number | null | undefined,
  };
  const change = async <R>(
    _: string,
    fn: (state: State, moment: Moment) => Decision<R>,
  ): Promise<Changed<R>> => {
    const version = kept.json === null ? null : ({ json: kept.json } as NonNullable<State["version"]>);
    const state = { version, leftMs: isOver ? 0 : HOUR_MS };
    // One primary's clock is behind.
    const made = fn(state, { isOver, nowMs: NOW_MS, earliestMs: NOW_MS - HOUR_MS });
    if (made.kind !== "write") return { kind: "kept", state, result: (made as { result: R }).result };
    Object.assign(kept, { json: made.json, ttlMs: made.ttlMs });
    return { kind: "written", number: 2, etag: "b", result: made.result } as Changed<R>;
  };
  const registers = { changes: { change } as Changes, state: async () => ({ version: null, leftMs: null }) };
  const leases = {
    check: async () => ({ kind: "lost" }) as const,
    renew: async () => ({ kind: "lost" }) as const,
  };
  const transactions = new Transactions(registers, new FakeClock(), systemIds, leases);
  return {
    transactions,
    kept,
    now: () => (kept.json === null ? null : (JSON.parse(kept.json) as Transaction)),
  };
}

const nameAt = (madeMs: number) => `transaction/default/${uuidV7(madeMs, "0".repeat(20))}`;
const NEW = nameAt(NOW_MS);
const begin = (transactions: Transactions, name: string) =>
  transactions.begin(name, { participants: ["a"], payload: null, begunBy: "x" }, 60_000);

describe("is kept for 24 hours", () => {
  test("what all have acknowledged, with its decision", async () => {
    const { transactions, kept, now } = stored(DECIDED);
    await transactions.acknowledge(NEW, "a");
    expect(now()).toMatchObject({ state: "ended", decision: "committed" });
    expect(kept.ttlMs).toBe(24 * HOUR_MS);
  });

  test.each([
    ["a vote", (all: Transactions) => all.vote(NEW, "a", "yes", null)],
    ["an abort", (all: Transactions) => all.abort(NEW, "late")],
  ])("what %s left of one that nobody had begun", async (_, act) => {
    const { transactions, kept, now } = stored(null);
    await act(transactions);
    expect(now()).toMatchObject({ state: "aborted", participants: [] });
    expect(kept.ttlMs).toBe(24 * HOUR_MS);
  });

  test("and until then the decision is told to whoever asks once more", async () => {
    const { transactions, now } = stored(ENDED);
    expect(await transactions.vote(NEW, "a", "yes", null)).toMatchObject({ kind: "told" });
    expect(await transactions.vote(NEW, "a", "no", null)).toMatchObject({ why: "already_decided" });
    expect(await transactions.abort(NEW, "late")).toMatchObject({ why: "already_decided" });
    expect(await begin(transactions, NEW)).toMatchObject({ kind: "told", isNew: false });
    expect(now()).toEqual(ENDED);
  });

  test("and longer, 30 days, where a participant may not know yet", async () => {
    for (const its of ["yes", "no"] as const) {
      const { transactions, kept } = stored({
        ...DECIDED,
        state: "active",
        decision: null,
        participants: [{ name: "a", vote: null, acknowledged: false }],
      });
      await transactions.vote(NEW, "a", its, null);
      expect(kept.ttlMs).toBe(30 * 86_400_000);
    }
  });

  test("and then goes, but an active one is aborted", async () => {
    for (const one of [ENDED, DECIDED, { ...DECIDED, begunBy: null, participants: [] }]) {
      const { transactions, now } = stored(one, { isOver: true });
      await transactions.end(NEW);
      expect(now()).toBeNull();
    }
    const active = stored({ ...DECIDED, state: "active", decision: null }, { isOver: true });
    await active.transactions.end(NEW);
    expect(active.now()).toMatchObject({ state: "aborted", decision: "aborted" });
    expect(active.kept.ttlMs).toBe(30 * 86_400_000);
  });

  test("and no longer than its time, though nobody has removed it yet", async () => {
    const old = nameAt(NOW_MS - 25 * HOUR_MS);
    const { transactions, now } = stored(ENDED, { isOver: true });
    expect(await transactions.vote(old, "a", "yes", null)).toEqual({ kind: "forgotten" });
    expect(now()).toEqual(ENDED);
  });
});

describe("an id of which nothing is known", () => {
  const acts = {
    begin,
    vote: (all: Transactions, name: string) => all.vote(name, "a", "yes", null),
    abort: (all: Transactions, name: string) => all.abort(name, "late"),
    acknowledge: (all: Transactions, name: string) => all.acknowledge(name, "a"),
  };

  test.each(Object.entries(acts))(
    "is told as new until it is 12 hours old, and as forgotten after that: %s",
    async (_, act) => {
      const half = stored(null);
      const atHalf = await act(half.transactions, nameAt(NOW_MS - REMEMBERED_MS / 2));
      expect(["told", "refused"]).toContain(atHalf.kind);
      for (const madeMs of [NOW_MS - REMEMBERED_MS / 2 - 1, NOW_MS - 400 * 24 * HOUR_MS]) {
        const older = stored(null);
        expect(await act(older.transactions, nameAt(madeMs))).toEqual({ kind: "forgotten" });
        expect(older.now()).toBeNull();
      }
    },
  );

  test.each(Object.entries(acts))(
    "is refused where as many as may be are stored, and leaves nothing: %s",
    async (name, act) => {
      const { transactions, now } = stored(null);
      transactions.sawStored(500_000);
      const isAcknowledged = name === "acknowledge";
      expect(await act(transactions, NEW)).toMatchObject(
        isAcknowledged ? { why: "unknown_transaction" } : { kind: "full" },
      );
      expect(now()).toBeNull();
      transactions.sawStored(499_999);
      expect((await act(transactions, NEW)).kind).not.toBe("full");
    },
  );
});
