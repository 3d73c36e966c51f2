import { type Ballot, higherBallot } from "../algorithms/ballot.js";
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
    return this.#ask<T, readonly (Answer<T> | undefined)[]>(call, (_, { pending, answers }) =>
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

  /** With a hedge, as many as a majority are asked at first: see `#ask`. */
  prepare(ballot: Ballot, hedge?: Hedge): Promise<Prepared> {
    const { majority } = this.primaries;
    const promises: Promised[] = [];
    let refusal: Ballot | null = null;
    const judge: Judge<RegisterPromise, Prepared> = (answer, { pending }) => {
      if (answer.ok) {
        if (answer.value.kind === "promised") promises.push(answer.value);
        else refusal = higherBallot(refusal, answer.value.promised);
      }
      if (promises.length >= majority) return { kind: "promised", promises };
      if (promises.length + pending >= majority) return undefined;
      return refusal === null ? { kind: "no_quorum" } : { kind: "refused", promised: refusal };
    };
    return this.#ask(prepareRegister(this.keys, this.name, ballot), judge, hedge);
  }

  /** `done`: gets what each primary said, once all have answered or failed. */
  accept(
    ballot: Ballot,
    proposal: Proposal,
    done?: (answers: readonly (Answer<Ballot | null> | undefined)[]) => void,
  ): Promise<Accepted> {
    const { majority } = this.primaries;
    let accepted = 0;
    let mayHaveRun = false;
    let promised: Ballot | null = null;
    const judge: Judge<Ballot | null, Accepted> = (answer, { pending }) => {
      if (!answer.ok) mayHaveRun ||= answer.failure.kind === "unknown";
      else if (answer.value === null) accepted += 1;
      else promised = higherBallot(promised, answer.value);
      if (accepted >= majority) return ACCEPTED;
      if (accepted + pending >= majority) return undefined;
      // Those that are still to answer may have accepted it; only what was not even sent has no effect.
      return { kind: mayHaveRun || accepted + pending > 0 ? "unknown" : "refused", promised };
    };
    return this.#ask(acceptRegister(this.keys, this.name, ballot, proposal), judge, undefined, done);
  }

  /**
   * What the primaries have accepted: of a majority as soon as it agrees, else of all that answer. Null: no majority did. With a
   * hedge, as many as a majority are asked at first: see `#ask`.
   */
  read(hedge?: Hedge): Promise<readonly (Copy | null)[] | null> {
    const { majority } = this.primaries;
    const call = readRegister(this.keys, this.name);
    return this.most(call, (values) => isAgreed(values, majority), hedge);
  }

  /** The values of a majority as soon as they are `enough`, else of all that answer. Null: no majority did. */
  most<T>(
    call: Call<T>,
    enough: (values: readonly T[]) => boolean,
    hedge?: Hedge,
  ): Promise<readonly T[] | null> {
    const { majority } = this.primaries;
    const values: T[] = [];
    const judge: Judge<T, readonly T[] | null> = (answer, { pending }) => {
      if (answer.ok) values.push(answer.value);
      const isMajority = values.length >= majority;
      if (pending === 0) return isMajority ? values : null;
      return isMajority && answer.ok && enough(values) ? values : undefined;
    };
    return this.#ask(call, judge, hedge);
  }

  /**
   * Asks all primaries. With a hedge only as many as a majority, those that have answered fastest lately, and the others where that
   * does not decide: one of them fails or takes long, or what they say is not enough. A call that is not made costs neither
   * side anything. `done`: gets what each primary said, once all have answered or failed.
   */
  #ask<T, V>(
    call: Call<T>,
    judge: Judge<T, V>,
    hedge?: Hedge,
    done?: (answers: Answers<T>) => void,
  ): Promise<V> {
    const { all, majority } = this.primaries;
    const places = hedge ? this.#byLatency() : null;
    const heard: Heard<T> = {
      answers: new Array<undefined>(all.length).fill(undefined),
      pending: all.length,
    };
    return new Promise((resolve, reject) => {
      let isOver = false;
      let asked = 0;
      const askUpTo = (count: number) => {
        while (asked < count) {
          const place = places ? (places[asked++] as number) : asked++;
          this.#askOne(all[place] as Primary, place, call, (answer) => note(place, answer));
        }
      };
      const hedged = hedge?.give(() => askUpTo(all.length));
      const over = (end: () => void) => {
        isOver = true;
        if (hedged) hedge?.takeBack(hedged);
        end();
      };
      const note = (place: number, answer: Answer<T>) => {
        heard.answers[place] = answer;
        heard.pending -= 1;
        if (heard.pending === 0) done?.(heard.answers);
        if (isOver) return;
        try {
          const verdict = judge(answer, heard);
          if (verdict !== undefined) over(() => resolve(verdict));
          else if (heard.pending === 0)
            throw new Error("the judge of a round decides when all have answered");
          else if (!answer.ok || all.length - heard.pending === asked) askUpTo(all.length);
        } catch (error) {
          over(() => reject(error));
        }
      };
      askUpTo(hedge ? majority : all.length);
    });
  }

  /** The places of the primaries: those that take part, the fastest first, then the others. */
  #byLatency(): readonly number[] {
    const { all } = this.primaries;
    const slownessOf = (place: number) => {
      const primary = all[place] as Primary;
      return this.#takesPart(primary, place) ? primary.latency.recentMs : Number.POSITIVE_INFINITY;
    };
    const places: number[] = [];
    for (let place = 0; place < all.length; place++) {
      const slowness = slownessOf(place);
      let at = places.length;
      for (; at > 0 && slownessOf(places[at - 1] as number) > slowness; at--)
        places[at] = places[at - 1] as number;
      places[at] = place;
    }
    return places;
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

type Answers<T> = readonly (Answer<T> | undefined)[];

/** What was answered so far, by the places of the primaries, and how many have neither answered nor failed. */
interface Heard<T> {
  readonly answers: (Answer<T> | undefined)[];
  pending: number;
}

/** Is given each answer as it comes, until it has a verdict; undefined: those so far do not decide. */
type Judge<T, V> = (answer: Answer<T>, heard: Heard<T>) => V | undefined;

const ACCEPTED: Accepted = { kind: "accepted" };

const NOT_ASKED = failed(new PrimaryFailure("not_sent", "it takes no part in this configuration"));

const isAgreed = (copies: readonly (Copy | null)[], majority: number): boolean =>
  isDecided(copies, latestOf(copies), majority);

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
