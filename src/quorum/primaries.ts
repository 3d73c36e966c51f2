import { majorityOf } from "../algorithms/tally.js";
import { CoordinationError } from "../errors.js";
import { type Primary, PrimaryFailure } from "../redis/primary.js";
import type { Call } from "../scripts/scripts.js";

/** What one primary said to a call. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: PrimaryFailure };

/** One place a primary, in their order; undefined: has not answered yet. */
export type Answers<T> = readonly (Answer<T> | undefined)[];

/** The configuration that this instance goes by. */
export interface InForce {
  readonly version: number | null;
  /** No counter is below that was given out since the last cold start; 0 before the first. */
  readonly floor: number;
  /**
   * Looks at the primaries and takes over what they agreed on. Whether this instance is up to date now: a request does
   * not wait for long.
   */
  catchUp(): Promise<boolean>;
}

/** What a primary is asked: one call, or several of them in a row. */
export type Question<T> = Call<T> | ((primary: Primary) => Promise<T>);

/** Whether the answers so far decide. */
export type Settled<T> = (answers: Answers<T>) => boolean;

/** Waits for all, also for those that the answers of a majority would not need. */
export const allAnswered: Settled<unknown> = (answers) => !answers.includes(undefined);

/** All primaries of one deployment. Knows votes, not what is voted on. */
export class Primaries {
  readonly majority: number;

  constructor(
    readonly all: readonly Primary[],
    private readonly configuration: InForce,
  ) {
    this.majority = majorityOf(all.length);
  }

  /** Whether a majority take part and accept writes, as far as is known now. */
  get quorum(): boolean {
    return this.shortage === null;
  }

  /** Why there is no quorum, in a sentence; null where there is one. */
  get shortage(): string | null {
    const { all, majority } = this;
    const up = all.filter((primary) => primary.up);
    const refusals = up.flatMap(({ refusal }) => refusal ?? []);
    if (up.length - refusals.length >= majority) return null;
    if (refusals.length === 0)
      return `${up.length} of ${all.length} primaries take part now; ${majority} are needed.`;
    const away = all.length - up.length;
    const others = away > 0 ? `, and ${away} ${away === 1 ? "takes" : "take"} no part` : "";
    const refuse = refusals.length === 1 ? "refuses" : "refuse";
    const why = [...new Set(refusals)].join("; ");
    return `${refusals.length} of ${all.length} primaries ${refuse} writes${others}; ${majority} must accept them. The reason: ${why}.`;
  }

  /** Time until a majority grant new leases, ms; 0: they do. Null while there is no quorum, since nobody knows. */
  get grantsInMs(): number | null {
    const granting = this.all.filter(({ up, refusal }) => up && !refusal);
    const quarantines = granting.map(({ status }) => status.quarantineMs).sort((one, other) => one - other);
    return quarantines[this.majority - 1] ?? null;
  }

  /**
   * Asks every primary at once. Resolves as soon as `settled` says that the answers so far decide, at the latest when
   * all answered or failed, which the command timeout bounds. Where the configuration changed under the question and
   * nothing was decided, it is asked again under the new one; so the call must do no harm when it runs twice.
   */
  async ask<T>(call: Question<T>, settled: Settled<T> = this.#byMajority): Promise<Answers<T>> {
    for (let attempt = 1; ; attempt++) {
      const answers = await this.askOnce(call, settled);
      if (settled(answers) || !hasStaleEpoch(answers) || attempt === STALE_EPOCH_ATTEMPTS_MAX) return answers;
      if (!(await this.configuration.catchUp())) return answers;
    }
  }

  /** The same, all in one configuration. */
  askOnce<T>(call: Question<T>, settled: Settled<T>): Promise<Answers<T>> {
    return new Promise((resolve) => {
      const answers: (Answer<T> | undefined)[] = this.all.map(() => undefined);
      let open = this.all.length;
      const note = (index: number, answer: Answer<T>) => {
        answers[index] = answer;
        open -= 1;
        // Settled before: resolving again does nothing.
        if (open === 0 || settled(answers)) resolve([...answers]);
      };
      this.all.forEach((primary, index) => {
        void answerOf(primary, call).then((answer) => note(index, answer));
      });
    });
  }

  /**
   * Runs an operation of several steps again when it found no quorum because the configuration changed under it.
   */
  async steadily<T>(operation: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const before = this.#staleEpochs();
      try {
        return await operation();
      } catch (error) {
        const lacksQuorum = error instanceof CoordinationError && error.code === "no_quorum";
        if (!lacksQuorum || this.#staleEpochs() === before || attempt === STALE_EPOCH_ATTEMPTS_MAX)
          throw error;
        if (!(await this.configuration.catchUp())) throw error;
      }
    }
  }

  /** The version of the configuration that this instance goes by. */
  get version(): number | null {
    return this.configuration.version;
  }

  /** No counter is below that was given out since the last cold start. */
  get floor(): number {
    return this.configuration.floor;
  }

  /** The values of a majority; throws `no_quorum` when fewer answered. */
  async askMajority<T>(call: Question<T>): Promise<T[]> {
    const answered = values(await this.ask(call));
    if (answered.length < this.majority) throw this.noQuorum();
    return answered;
  }

  /** The failure to find a majority, with what is known of the primaries by now. */
  noQuorum(): CoordinationError {
    const seen =
      this.shortage ?? `Fewer than ${this.majority} of ${this.all.length} primaries answered in time.`;
    return new CoordinationError(
      "no_quorum",
      `${seen} Try again later: GET /v1/primaries tells how each of them is.`,
      {
        help: { retryAfterMs: 1000 },
      },
    );
  }

  #staleEpochs(): number {
    return this.all.reduce((sum, primary) => sum + primary.staleEpochs, 0);
  }

  readonly #byMajority: Settled<unknown> = (answers) => values(answers).length >= this.majority;

  close(): void {
    for (const primary of this.all) primary.close();
  }
}

/** The values among the answers so far, in the order of the primaries. */
export function values<T>(answers: Answers<T>): T[] {
  return answers.flatMap((answer) => (answer?.ok ? [answer.value] : []));
}

/** Runs the call on one primary; a failure is an answer too. */
export async function answerOf<T>(primary: Primary, call: Question<T>): Promise<Answer<T>> {
  try {
    return { ok: true, value: await (typeof call === "function" ? call(primary) : primary.run(call)) };
  } catch (error) {
    if (error instanceof PrimaryFailure) return { ok: false, failure: error };
    // A reply that cannot be parsed comes from our own mistake or a foreign server: it may have run.
    return { ok: false, failure: new PrimaryFailure("unknown", String(error), { cause: error }) };
  }
}

function hasStaleEpoch(answers: Answers<unknown>): boolean {
  return answers.some((answer) => answer && !answer.ok && answer.failure.kind === "stale_epoch");
}

const STALE_EPOCH_ATTEMPTS_MAX = 4;
