import type { Clock } from "../../clock.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { Keys } from "../../scripts/keys.js";
import { type Heartbeat, type HeartbeatVote, heartbeat, type Pulse } from "../../scripts/member-calls.js";

/**
 * Heartbeats of single members. Those of one tick of the event loop leave together: as one call per primary, which costs a
 * fraction of a call for each. One that arrives while others are under way waits for their outcome, a few ms at most, and
 * leaves together with all that arrived meanwhile.
 */
export class Heartbeats {
  #waiting: Waiting[] = [];
  #underWay = false;

  constructor(
    private readonly primaries: Pick<Primaries, "decide" | "majority">,
    private readonly keys: Keys,
    private readonly clock: Pick<Clock, "after" | "soon">,
  ) {}

  /** The renewal that a majority agrees on; null: they do not agree. Throws `no_quorum`. */
  send(own: Heartbeat): Promise<Pulse | null> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ own, resolve, reject });
      if (this.#underWay) return;
      this.#underWay = true;
      this.clock.soon(() => this.#sendNext());
    });
  }

  #sendNext(): void {
    this.#underWay = false;
    if (this.#waiting.length === 0) return;
    const together = this.#waiting.slice(0, TOGETHER_MAX);
    this.#waiting = this.#waiting.slice(TOGETHER_MAX);
    this.#underWay = true;
    let isOver = false;
    const over = () => {
      if (isOver) return;
      isOver = true;
      cancel();
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
        together[at]?.resolve(pulse);
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
      for (const at of undecided) together[at]?.resolve(null);
    } catch (error) {
      for (const at of undecided) together[at]?.reject(error);
    }
  }
}

interface Waiting {
  readonly own: Heartbeat;
  readonly resolve: (pulse: Pulse | null) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The renewal that a majority agrees on, unless a primary knows a later incarnation, or that it left. Where one says that it
 * has expired, only renewals of a later revision count. `at`: which of the heartbeats that went together.
 */
function pulseOf(
  votes: readonly (readonly HeartbeatVote[])[],
  at: number,
  majority: number,
): Pulse | undefined {
  let newest = 0;
  let renewals: Pulse[] = [];
  let isRefused = false;
  let expired = 0;
  for (const ofPrimary of votes) {
    const vote = ofPrimary[at] as HeartbeatVote;
    if (vote.kind === "missing" || vote.incarnation < newest) continue;
    if (vote.incarnation > newest) [newest, renewals, isRefused, expired] = [vote.incarnation, [], false, 0];
    if (vote.kind === "renewed") renewals.push(vote);
    else if (vote.kind === "expired") expired = Math.max(expired, vote.revision);
    // It left, or another incarnation than was asked for.
    else isRefused = true;
  }
  const counting = renewals.filter(({ revision }) => revision > expired);
  return !isRefused && counting.length >= majority ? counting[0] : undefined;
}

/** Some 0.5 ms of a primary's time. */
const TOGETHER_MAX = 100;
/** While a primary is slow, heartbeats go on leaving this often. */
const WAIT_MS_MAX = 5;
