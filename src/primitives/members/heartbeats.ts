import type { Clock } from "../../clock.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { Keys } from "../../scripts/keys.js";
import { type Heartbeat, type HeartbeatVote, heartbeat, type Pulse } from "../../scripts/member-calls.js";

/** What became of one heartbeat: the renewal that a majority agrees on, or null: they do not agree. */
export type Beaten = { readonly pulse: Renewed | null } | { readonly error: unknown };

export interface Renewed extends Pulse {
  /** Whether some primary has leases that are bound to it; false also for a heartbeat without a nonce. */
  readonly hasLeases: boolean;
}

/**
 * Heartbeats of members, single ones and batches alike. Those of one tick of the event loop leave together: as one call per
 * primary, which costs a fraction of a call for each. One that arrives while others are under way waits for their outcome, a few
 * ms at most, and leaves together with all that arrived meanwhile. A call is as large as a script may be; more than fit in one
 * leave as several calls at once.
 */
export class Heartbeats {
  #waiting: Waiting[] = [];
  #underWay = 0;
  #isDue = false;

  constructor(
    private readonly primaries: Pick<Primaries, "decide" | "majority">,
    private readonly keys: Keys,
    private readonly clock: Pick<Clock, "after" | "soon">,
  ) {}

  /** The outcomes in the order of the heartbeats; there may be any number. Never rejects. */
  send(heartbeats: readonly Heartbeat[]): Promise<Beaten[]> {
    return new Promise((resolve) => {
      const outcomes = new Array<Beaten>(heartbeats.length);
      let open = heartbeats.length;
      if (open === 0) resolve(outcomes);
      const order = [...heartbeats.keys()];
      // Those of one service together, where they leave in several calls: it then is written in fewer of them.
      const serviceOf = (index: number) => heartbeats[index]?.service ?? "";
      if (open > TOGETHER_MAX)
        order.sort(
          (one, other) =>
            Number(serviceOf(one) > serviceOf(other)) || -Number(serviceOf(one) < serviceOf(other)),
        );
      for (const index of order)
        this.#waiting.push({
          own: heartbeats[index] as Heartbeat,
          settle: (outcome) => {
            outcomes[index] = outcome;
            open -= 1;
            if (open === 0) resolve(outcomes);
          },
        });
      if (this.#isDue) return;
      this.#isDue = true;
      this.clock.soon(() => {
        this.#isDue = false;
        this.#sendNext();
      });
    });
  }

  /** What waits, or as much of it as may be under way; beside another call, only a full one. */
  #sendNext(): void {
    while (
      this.#waiting.length >= TOGETHER_MAX
        ? this.#underWay < CALLS_MAX
        : this.#waiting.length > 0 && this.#underWay === 0
    )
      this.#sendOne(this.#waiting.splice(0, TOGETHER_MAX));
  }

  #sendOne(together: readonly Waiting[]): void {
    this.#underWay += 1;
    let isOver = false;
    const over = () => {
      if (isOver) return;
      isOver = true;
      cancel();
      this.#underWay -= 1;
      this.#sendNext();
    };
    const cancel = this.clock.after(WAIT_MS_MAX, over);
    void this.#decide(together).then(over);
  }

  /** Each is answered as soon as its own outcome is known. */
  async #decide(together: readonly Waiting[]): Promise<void> {
    const { majority } = this.primaries;
    const undecided = new Set(together.keys());
    const settle = (votes: readonly (readonly HeartbeatVote[])[]) => {
      if (votes.length < majority) return;
      for (const at of undecided) {
        const pulse = pulseOf(votes, at, majority);
        if (!pulse) continue;
        together[at]?.settle({ pulse });
        undecided.delete(at);
      }
    };
    try {
      const call = heartbeat(
        this.keys,
        together.map(({ own }) => own),
      );
      await this.primaries.decide<HeartbeatVote[], true>(
        call,
        ({ values }) => {
          settle(values);
          return undecided.size === 0 || undefined;
        },
        { lastWord: ({ values }) => values.length >= majority || undefined },
      );
      for (const at of undecided) together[at]?.settle({ pulse: null });
    } catch (error) {
      for (const at of undecided) together[at]?.settle({ error });
    }
  }
}

interface Waiting {
  readonly own: Heartbeat;
  readonly settle: (outcome: Beaten) => void;
}

/**
 * The renewal that a majority agrees on, unless a primary knows a later incarnation, or that it left, or another memberKey. Where
 * one says that it has expired, only renewals of a later revision count. `at`: which of the heartbeats that went together.
 */
function pulseOf(
  votes: readonly (readonly HeartbeatVote[])[],
  at: number,
  majority: number,
): Renewed | undefined {
  let newest = 0;
  let renewals: Renewed[] = [];
  let isRefused = false;
  let expired = 0;
  for (const ofPrimary of votes) {
    const vote = ofPrimary[at] as HeartbeatVote;
    if (vote.kind === "missing" || vote.incarnation < newest) continue;
    if (vote.incarnation > newest) [newest, renewals, isRefused, expired] = [vote.incarnation, [], false, 0];
    if (vote.kind === "renewed") renewals.push(vote);
    else if (vote.kind === "expired") expired = Math.max(expired, vote.revision);
    // It left, or another incarnation or memberKey than was asked for.
    else isRefused = true;
  }
  const counting = renewals.filter(({ revision }) => revision > expired);
  const [first] = counting;
  if (isRefused || !first || counting.length < majority) return undefined;
  // A lease that was bound is in the list of one of any majority.
  return counting.some(({ hasLeases }) => hasLeases) ? { ...first, hasLeases: true } : first;
}

/** Some 0.5 ms of a primary's time. */
const TOGETHER_MAX = 100;
/** Calls under way at once: some 2 ms of a primary's time, should it work on all of them in a row. */
const CALLS_MAX = 4;
/** While a primary is slow, heartbeats go on leaving this often. */
const WAIT_MS_MAX = 5;
