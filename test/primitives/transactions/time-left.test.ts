import fc from "fast-check";
import { expect, test } from "vitest";
import type { NamedLease, Transaction } from "../../../src/algorithms/two-phase.js";
import { systemIds } from "../../../src/ids.js";
import type { Changes } from "../../../src/primitives/registers/changes.js";
import type { Changed, Decision, Moment, State } from "../../../src/primitives/registers/proposals.js";
import type { Held } from "../../../src/primitives/transactions/named-leases.js";
import { Transactions } from "../../../src/primitives/transactions/transactions.js";
import { FakeClock } from "../../helpers/fake-clock.js";

// How much is left of the leases that a transaction names when its commit is proposed for the first time.

const LEASES: readonly NamedLease[] = [
  { kind: "locks", names: ["orders-42"], leaseId: "a-secret-of-22-characters", fencingToken: 7 },
];
const BEGUN: Transaction = {
  state: "active",
  decision: null,
  reason: null,
  participants: [{ name: "a", vote: null, acknowledged: false }],
  payload: null,
  begunBy: "x",
  leases: LEASES,
};

/** How long each step takes, ms, and whether a proposal is refused by all primaries. */
interface Plan {
  readonly renewalsMs: readonly number[];
  readonly triesMs: readonly number[];
  readonly refused: readonly boolean[];
}

type Judge = (held: Held) => Held;

/** The last vote on a transaction whose leases a renewal extends to 5 s from its beginning. */
async function lastVote({ renewalsMs, triesMs, refused }: Plan, judge: Judge) {
  const clock = new FakeClock();
  let endsMs = 0;
  /** What was left when the commit was proposed for the first time. */
  let leftMs: number | null = null;
  const state: State = {
    version: { json: JSON.stringify(BEGUN) } as NonNullable<State["version"]>,
    leftMs: 60_000,
  };
  const moment: Moment = { isOver: false, nowMs: 0, earliestMs: 0 };
  const take = (from: readonly number[], turn: number) => from[turn % from.length] ?? 0;
  let tries = 0;
  const change = async <R>(
    _: string,
    fn: (state: State, moment: Moment) => Decision<R>,
  ): Promise<Changed<R>> => {
    for (;;) {
      await clock.advance(take(triesMs, tries));
      const decision = fn(state, moment);
      if (decision.kind !== "write")
        return { kind: "kept", state, result: (decision as { result: R }).result };
      leftMs ??= endsMs - clock.monotonicMs();
      if (tries < refused.length && refused[tries++]) continue;
      return { kind: "written", number: 2, etag: "b", result: decision.result } as Changed<R>;
    }
  };
  let renewals = 0;
  const leases = {
    check: async () => ({ kind: "lost" }) as const,
    renew: async (): Promise<Held> => {
      endsMs = clock.monotonicMs() + 5_000;
      await clock.advance(take(renewalsMs, renewals++));
      if (clock.monotonicMs() >= endsMs) throw new Error("too late");
      return judge({ kind: "held", untilMs: endsMs });
    },
  };
  const registers = { changes: { change } as Changes, state: async () => state };
  const transactions = new Transactions(registers, clock, systemIds, leases);
  const told = await transactions.vote("transaction/default/x", "a", "yes", null).catch((error) => error);
  return { leftMs: leftMs as number | null, told, renewals };
}

const ms = fc.array(fc.nat(6_000), { minLength: 1, maxLength: 4 });
const plan = fc.record({ renewalsMs: ms, triesMs: ms, refused: fc.array(fc.boolean(), { maxLength: 4 }) });

const found = (judge: Judge) =>
  fc.check(
    fc.asyncProperty(plan, async (one) => {
      const { leftMs } = await lastVote(one, judge);
      return leftMs === null || leftMs >= 1_000;
    }),
    { seed: 19, numRuns: 300 },
  );

test("a commit is first proposed with a second left of each lease, however long steps take", async () => {
  expect((await found((held) => held)).counterexample).toBeNull();
});

test("one that does not look how much is left is found out", async () => {
  const blind = (held: Held): Held =>
    held.kind === "held" ? { ...held, untilMs: Number.POSITIVE_INFINITY } : held;
  expect((await found(blind)).failed).toBe(true);
});

test.each([
  ["with a second left", 4_000, 1, "committed"],
  ["with less", 4_001, 3, "no_quorum"],
])("%s after a renewal of %i ms, it takes %i renewals: %s", async (_, renewalMs, renewals, outcome) => {
  const told = await lastVote({ renewalsMs: [renewalMs], triesMs: [0], refused: [] }, (held) => held);
  expect(told.renewals).toBe(renewals);
  expect(told.told.code ?? told.told.transaction.state).toBe(outcome);
});

test("what was proposed in time is proposed again, however late", async () => {
  const late = { renewalsMs: [10], triesMs: [0, 6_000], refused: [true, false] };
  const { told, leftMs } = await lastVote(late, (held) => held);
  expect(told).toMatchObject({ kind: "told", transaction: { state: "committed" } });
  expect(leftMs).toBeGreaterThan(4_900);
});
