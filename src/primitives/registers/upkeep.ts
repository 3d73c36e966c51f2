import { type Ballot, floorOf, higherBallot, NO_BALLOT, roundOf } from "../../algorithms/ballot.js";
import { type Copy, rememberedUntilMs } from "../../algorithms/register.js";
import { toVersion } from "../../algorithms/register-text.js";
import type { Clock, Random } from "../../clock.js";
import type { Primaries } from "../../quorum/primaries.js";
import { RegisterRound } from "../../quorum/register-rounds.js";
import type { Keys } from "../../scripts/keys.js";
import {
  type DueRegisters,
  dueRegisters,
  raiseRegisterFloor,
  readRegister,
  removeRegister,
} from "../../scripts/register-calls.js";
import { isRecord, isTransaction } from "../../scripts/register-kinds.js";
import type { Transactions } from "../transactions/transactions.js";
import type { Lags } from "./lags.js";
import type { RegisterTransactions } from "./register-transactions.js";
import type { Registers } from "./registers.js";

/**
 * Deletes registers whose time is over, whether anybody reads them or not, removes what is left of those that were deleted, and
 * sends again what single primaries missed.
 * Any number of instances may do so at once.
 *
 * What is left of a register are its tombstones, and ballots that were promised. They go only in one configuration in which all
 * primaries take part, so that none can bring back an older value; where that would let too much stay, absent primaries are fenced
 * out, and take part again with a copy of the others: first all say that nothing of it is live; then the floor of
 * ballots is raised on all, above all that they promised and accepted for it; then each removes it, unless it has changed, or
 * remembers idempotency keys. So a message that is late, or a change that began before, meets the floor, and one that is asked
 * for again is found.
 */
export class RegisterUpkeep {
  #closed = false;
  #fencedOutAtMs = Number.NEGATIVE_INFINITY;
  /** In rounds of ballots: floors are multiples of it. */
  private readonly floorStep: number = FLOOR_STEP;

  constructor(
    private readonly registers: Registers,
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly ends: Ends,
    /** For how long it waits until it removes what was deleted, ms. */
    private readonly goneForMs = GONE_FOR_MS,
    private readonly lags?: Pick<Lags, "catchUp">,
    /** How much of what was deleted may stay. */
    private readonly goneMax = GONE_MAX,
  ) {
    void this.#watch();
  }

  close(): void {
    this.#closed = true;
  }

  async #watch(): Promise<void> {
    while (!this.#closed) {
      await this.clock.sleep(INTERVAL_MS * (0.5 + this.random()));
      // What could not be done now is due again.
      while (!this.#closed && (await this.run().catch(() => false)));
    }
  }

  /** Does what is due, up to a bound. Returns whether more may be due. */
  async run(): Promise<boolean> {
    const due = await this.primaries.askAll(dueRegisters(this.keys, this.goneForMs, AT_ONCE));
    if (due.length > 0)
      this.ends.transactions.sawStored(Math.max(...due.map(({ transactions }) => transactions)));
    const ended = namesIn(due, "ended");
    await Promise.all(ended.map((name) => this.#end(name)));
    await this.#fenceOutAbsent(Math.max(0, ...due.map(({ goneCount }) => goneCount)));
    const gone = namesIn(due, "gone");
    const removed = gone.length > 0 && (await this.#remove(gone));
    const lagging = (await this.lags?.catchUp(this.registers)) ?? false;
    return lagging || ended.length === AT_ONCE || (removed && gone.length === AT_ONCE);
  }

  /** Reading it deletes it; a primary that has missed that is told. */
  async #end(name: string): Promise<void> {
    if (isTransaction(name)) await this.ends.transactions.end(name);
    else if (isRecord(name)) await this.ends.registerTransactions.end(name);
    else await this.registers.state(name);
    await this.registers.complete(name);
  }

  /** What was deleted stays while a primary is absent that may not know of it; but no more of it than that. */
  async #fenceOutAbsent(goneCount: number): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    if (goneCount < this.goneMax || new RegisterRound(this.primaries, this.keys).isWhole) return;
    if (nowMs - this.#fencedOutAtMs < FENCE_OUT_INTERVAL_MS) return;
    this.#fencedOutAtMs = nowMs;
    await this.primaries.fenceOutAbsent();
  }

  /** Returns whether something was removed. */
  async #remove(names: readonly string[]): Promise<boolean> {
    const round = new RegisterRound(this.primaries, this.keys);
    if (!round.isWhole) return false;
    const read = await Promise.all(
      names.map(async (name) => ({ name, copies: await round.all(readRegister(this.keys, name, true)) })),
    );
    const gone = read.flatMap(({ name, copies }) => (copies && isGone(copies) ? [{ name, copies }] : []));
    // Where one has something live, it has missed the deletion, or another has: one of them is behind.
    for (const { name, copies } of read) if (copies && !isGone(copies)) await this.registers.complete(name);
    if (gone.length === 0) return false;
    const floor = floorAbove(
      gone.flatMap(({ copies }) => copies),
      this.floorStep,
    );
    if (!(await round.all(raiseRegisterFloor(floor)))) return false;
    this.registers.changes.saw(floor);
    await Promise.all(
      gone.map(({ name, copies }) =>
        round.each((index) =>
          removeRegister(this.keys, name, copies[index]?.accepted ?? null, staysUntilMs(copies)),
        ),
      ),
    );
    return true;
  }
}

/** Registers that end in a way of their own. */
interface Ends {
  readonly transactions: Pick<Transactions, "end" | "sawStored">;
  readonly registerTransactions: Pick<RegisterTransactions, "end">;
}

function namesIn(due: readonly DueRegisters[], which: "ended" | "gone"): string[] {
  return [...new Set(due.flatMap((one) => one[which]))].slice(0, AT_ONCE);
}

/** Whether nothing of a register is live on any primary. */
const isGone = (copies: readonly (Copy | null | undefined)[]) => copies.every((copy) => !copy?.isLive);

/** Until when it remembers changes that may be asked for again, under their idempotency keys. */
function staysUntilMs(copies: readonly (Copy | null | undefined)[]): number {
  const keyed = copies.flatMap((copy) =>
    copy?.text ? toVersion(copy.text, copy.etag, copy.isLive).keyed : [],
  );
  return rememberedUntilMs(keyed);
}

/** Above all that was promised or accepted; rounded up, so that floors are few and primaries agree on them. */
function floorAbove(copies: readonly (Copy | null | undefined)[], step: number): Ballot {
  const highest = copies.reduce<Ballot>(
    (max, copy) => higherBallot(max, higherBallot(copy?.promised ?? null, copy?.accepted ?? null)) ?? max,
    NO_BALLOT,
  );
  return floorOf((Math.floor(roundOf(highest) / step) + 1) * step);
}

const INTERVAL_MS = 1_000;
/** Longer than any change lasts: so its tries find what they made. */
const GONE_FOR_MS = 60_000;
const AT_ONCE = 100;
/** On one primary, some 0.5 KB each. */
const GONE_MAX = 100_000;
/** A primary that is absent only for this instance is readmitted by another. */
const FENCE_OUT_INTERVAL_MS = 10_000;
/** Some 16 s by the wall clock with which ballots begin, less than `GONE_FOR_MS`: so a floor is seldom ahead of new ballots. */
const FLOOR_STEP = 2 ** 18;
