import type { Ballot } from "../algorithms/ballot.js";
import { configurationOf } from "../algorithms/configuration.js";
import { type Copy, isDecided, latestOf } from "../algorithms/register.js";
import { type Answer, failed } from "../redis/answer.js";
import { PrimaryFailure } from "../redis/failures.js";
import type { Primary } from "../redis/primary.js";
import type { Keys } from "../scripts/keys.js";
import {
  acceptRegister,
  type Proposal,
  prepareRegister,
  type RegisterPromise,
  readRegister,
} from "../scripts/register-calls.js";
import type { Call } from "../scripts/scripts.js";
import { type Judge, Votes } from "./answers.js";
import type { Hedge } from "./hedge.js";
import type { Primaries } from "./primaries.js";

export type Prepared =
  /** By a majority, in the order in which they answered. */
  | { readonly kind: "promised"; readonly promises: readonly Promised[] }
  /** No majority can promise it any more, since this ballot was promised. */
  | { readonly kind: "refused"; readonly promised: Ballot }
  | { readonly kind: "no_quorum" };

export type Promised = Extract<RegisterPromise, { kind: "promised" }>;

export type Accepted =
  | { readonly kind: "accepted" }
  /** No primary has accepted it, and none will. */
  | { readonly kind: "refused"; readonly promised: Ballot | null }
  /** It may have been accepted by some, or still be: whoever reads next finds out. */
  | { readonly kind: "unknown"; readonly promised: Ballot | null };

/**
 * The primaries as they were when a change or a read of a register began: all its votes come from one configuration. Votes of
 * two could be put together to a majority of which one primary has forgotten its vote by now.
 */
export class RegisterRound {
  /** By primary; null: it takes no part. */
  readonly #epochs: readonly (string | null)[];
  /** The configuration; null: no primary takes part. */
  readonly #common: string | null;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly name = "",
  ) {
    const epochs = primaries.all.map(({ configurationEpoch }) => configurationEpoch);
    this.#common = mostCommon(epochs.flatMap((epoch) => (epoch === null ? [] : [configurationOf(epoch)])));
    this.#epochs = epochs.map((epoch) =>
      epoch !== null && configurationOf(epoch) === this.#common ? epoch : null,
    );
  }

  /** Whether all primaries take part but those that are fenced out: these take part again only with a copy of the others. */
  get isWhole(): boolean {
    return this.#taking === this.#epochs.length - this.primaries.fencedOut(this.#common);
  }

  /** The values of all that take part, by their places; undefined: it does not. Null: one of them did not answer. */
  async all<T>(call: Call<T>): Promise<readonly (T | undefined)[] | null> {
    const answers = await this.answers(call);
    const values = answers.map((answer) => (answer?.ok ? answer.value : undefined));
    return answers.filter((answer) => answer?.ok).length === this.#taking ? values : null;
  }

  get #taking(): number {
    return this.#epochs.filter((epoch) => epoch !== null).length;
  }

  /** What each primary answers, in their order, once all have answered or failed. */
  answers<T>(call: Call<T>): Promise<readonly (Answer<T> | undefined)[]> {
    return this.#ask<T, readonly (Answer<T> | undefined)[]>(call, ({ answers, pending }) =>
      pending > 0 ? undefined : answers,
    );
  }

  /** Another question to each; what they answer is not waited for longer than the command timeout, and may fail. */
  async each(callOf: (index: number) => Call<unknown>): Promise<void> {
    const { all } = this.primaries;
    await Promise.all(
      all.map(
        (primary, index) =>
          new Promise<void>((resolve) => {
            this.#askOne(primary, index, callOf(index), () => resolve());
          }),
      ),
    );
  }

  /** As many as a majority are asked at first: `#askFew`. */
  prepare(ballot: Ballot, hedge: Hedge): Promise<Prepared> {
    const { majority } = this.primaries;
    return this.#askFew<RegisterPromise, Prepared>(
      hedge,
      prepareRegister(this.keys, this.name, ballot),
      ({ values, pending }) => {
        const promises = values.filter((reply) => reply.kind === "promised");
        if (promises.length >= majority) return { kind: "promised", promises };
        if (promises.length + pending >= majority) return undefined;
        const refusals = values.flatMap((reply) => (reply.kind === "refused" ? [reply.promised] : []));
        const promised = highestOf(refusals);
        return promised === null ? { kind: "no_quorum" } : { kind: "refused", promised };
      },
    );
  }

  /** `done`: gets what each primary said, once all have answered or failed. */
  accept(
    ballot: Ballot,
    proposal: Proposal,
    done?: (answers: readonly (Answer<Ballot | null> | undefined)[]) => void,
  ): Promise<Accepted> {
    const { majority } = this.primaries;
    return this.#ask<Ballot | null, Accepted>(
      acceptRegister(this.keys, this.name, ballot, proposal),
      ({ values, answers, pending }) => {
        const accepted = values.filter((promised) => promised === null).length;
        if (accepted >= majority) return { kind: "accepted" };
        if (accepted + pending >= majority) return undefined;
        const promised = highestOf(values.filter((one) => one !== null));
        // Those that are still to answer may have accepted it; only what was not even sent has no effect.
        const mayHave = accepted + pending > 0 || answers.some((one) => one?.ok === false && mayHaveRun(one));
        return { kind: mayHave ? "unknown" : "refused", promised };
      },
      done,
    );
  }

  /**
   * What the primaries have accepted: of a majority as soon as it agrees, else of all that answer. Null: no majority did. As many
   * as a majority are asked at first: `#askFew`.
   */
  read(hedge: Hedge): Promise<readonly (Copy | null)[] | null> {
    const { majority } = this.primaries;
    const call = readRegister(this.keys, this.name);
    return this.#askFew(
      hedge,
      call,
      this.#judgeOf((values) => isAgreed(values, majority)),
    );
  }

  /** The values of a majority as soon as they are `enough`, else of all that answer. Null: no majority did. */
  most<T>(call: Call<T>, enough: (values: readonly T[]) => boolean): Promise<readonly T[] | null> {
    return this.#ask(call, this.#judgeOf(enough));
  }

  #judgeOf<T>(enough: (values: readonly T[]) => boolean): Judge<T, readonly T[] | null> {
    const { majority } = this.primaries;
    return ({ values, pending }) => {
      const isMajority = values.length >= majority;
      if (pending === 0) return isMajority ? values : null;
      return isMajority && enough(values) ? values : undefined;
    };
  }

  async #ask<T, V>(
    call: Call<T>,
    judge: Judge<T, V>,
    done?: (answers: readonly (Answer<T> | undefined)[]) => void,
  ): Promise<V> {
    const { all } = this.primaries;
    const votes = new Votes<T>(all.length);
    all.forEach((primary, index) => {
      this.#askOne(primary, index, call, (answer) => votes.note(index, answer));
    });
    if (done) votes.whenComplete(({ answers }) => done(answers));
    return decided(await votes.until(judge));
  }

  /**
   * Asks as many as a majority, those that have answered fastest lately, and the others where that does not decide: one of these
   * fails or takes long, or their answers are not enough. Each call that is not made costs neither side anything.
   */
  async #askFew<T, V>(hedge: Hedge, call: Call<T>, judge: Judge<T, V>): Promise<V> {
    const { all, majority } = this.primaries;
    const votes = new Votes<T>(all.length);
    const places = this.#byLatency();
    let isDecided = false;
    let asked = 0;
    let answered = 0;
    const askUpTo = (count: number) => {
      while (asked < count) {
        const place = places[asked++] as number;
        this.#askOne(all[place] as Primary, place, call, (answer) => {
          answered += 1;
          votes.note(place, answer);
          if (!isDecided && (!answer.ok || answered === asked)) askUpTo(all.length);
        });
      }
    };
    const hedged = hedge.give(() => askUpTo(all.length));
    const verdict = votes.until((heard) => {
      const judged = judge(heard);
      isDecided = judged !== undefined;
      if (isDecided) hedge.takeBack(hedged);
      return judged;
    });
    askUpTo(majority);
    return decided(await verdict);
  }

  /** The places of the primaries: those that take part, the fastest first, then the others. */
  #byLatency(): readonly number[] {
    const { all } = this.primaries;
    const slowness = all.map((primary, place) =>
      this.#takesPart(primary, place) ? primary.latency.recentMs : Number.POSITIVE_INFINITY,
    );
    return [...all.keys()].sort((one, other) => ((slowness[one] as number) < (slowness[other] as number) ? -1 : 1));
  }

  #askOne<T>(primary: Primary, index: number, call: Call<T>, answered: (answer: Answer<T>) => void): void {
    if (this.#takesPart(primary, index)) primary.ask(call, answered);
    else answered(NOT_ASKED);
  }

  /** Still: it may have left since the round began. */
  #takesPart(primary: Primary, place: number): boolean {
    const epoch = this.#epochs[place];
    return epoch !== null && epoch === primary.configurationEpoch;
  }
}

function decided<V>(verdict: V | undefined): V {
  if (verdict === undefined) throw new Error("the judge of a round decides when all have answered");
  return verdict;
}

const NOT_ASKED = failed(new PrimaryFailure("not_sent", "it takes no part in this configuration"));

const mayHaveRun = (answer: Answer<unknown>) => !answer.ok && answer.failure.kind === "unknown";

const isAgreed = (copies: readonly (Copy | null)[], majority: number): boolean =>
  isDecided(copies, latestOf(copies), majority);

function highestOf(ballots: readonly Ballot[]): Ballot | null {
  let highest: Ballot | null = null;
  for (const ballot of ballots) if (highest === null || ballot > highest) highest = ballot;
  return highest;
}

/** Most often all are the same. */
function mostCommon(texts: readonly string[]): string | null {
  let best: string | null = null;
  let times = 0;
  for (const text of texts) {
    const count = texts.filter((other) => other === text).length;
    if (count > times) [best, times] = [text, count];
  }
  return best;
}
