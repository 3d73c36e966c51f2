import { majorityOf, repliedByMajority } from "../algorithms/tally.js";
import { CoordinationError } from "../errors.js";
import type { Primary } from "../redis/primary.js";
import { ask, type Heard, type Judge, type Question, Votes } from "./answers.js";
import { noQuorum, shortageOf } from "./shortage.js";

/** The configuration in force for this instance. */
export interface InForce {
  readonly version: number | null;
  /** Random, and the same for all instances of the deployment; null before the first. */
  readonly deployment: string | null;
  /** No counter given out since the last cold start is below this; 0 before the first. */
  readonly floor: number;
  /** Why this instance takes no part until a later version replaces it; null: it may. */
  readonly outdated: string | null;
  /**
   * Observes the primaries and takes over the configuration that they agreed on. Resolves to whether this instance
   * is up to date now: a request does not wait for long.
   */
  catchUp(): Promise<boolean>;
  /** How many primaries that configuration fences out, if it is the one in force; else 0. */
  fencedOut(configuration: string): number;
  /** Asks for a configuration that fences out the primaries that do not answer. */
  fenceOutAbsent(): Promise<void>;
}

/** For the few questions that a first verdict does not settle. */
export interface Endings<T, V> {
  /** The verdict when all have answered or failed and the judge has none; undefined: there is no quorum. */
  readonly lastWord?: Judge<T, V>;
  /** Called with all answers once each primary has answered or failed, which may be after the verdict. */
  readonly afterwards?: (all: Heard<T>) => void;
}

/** All primaries of one deployment. It knows votes, not what they are about. */
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

  /** Why no request can be served here until a later version of Quorate is; null: an instance of this version may. */
  get outdated(): string | null {
    const { outdated } = this.configuration;
    return outdated && `This instance is outdated: ${outdated}.`;
  }

  /** Why there is no quorum, in one sentence; null: there is one. */
  get shortage(): string | null {
    if (this.outdated) return this.outdated;
    const { all, majority } = this;
    const up = all.filter((primary) => primary.up);
    const refusals = up.flatMap(({ refusal }) => refusal ?? []);
    return shortageOf({ primaries: all.length, majority, up: up.length, refusals });
  }

  /** Time until a majority grant new leases, in ms; 0: they do. Null: unknown, as there is no quorum. */
  get grantsInMs(): number | null {
    const granting = this.all.filter(({ up, refusal }) => up && !refusal);
    const quarantines = granting.map(({ status }) => status.quarantineMs).sort((one, other) => one - other);
    return quarantines[this.majority - 1] ?? null;
  }

  /**
   * Asks all primaries at once and judges after every answer. Resolves with the verdict as soon as there is one. Throws
   * `no_quorum` when all have answered or failed without one, which the command timeout bounds. Where the configuration
   * changed under the question before it was decided, it is asked again under the new one: so it must do no harm twice.
   */
  async decide<T, V>(question: Question<T>, judge: Judge<T, V>, endings: Endings<T, V> = {}): Promise<V> {
    const { lastWord, afterwards } = endings;
    for (let attempt = 1; ; attempt++) {
      const votes = this.#ask(question);
      if (afterwards) votes.whenComplete(afterwards);
      const verdict = await votes.until(judge);
      if (verdict !== undefined) return verdict;
      const isStale = votes.answers.some(
        (answer) => answer?.ok === false && answer.failure.kind === "stale_epoch",
      );
      if (isStale && attempt < STALE_EPOCH_ATTEMPTS_MAX && (await this.configuration.catchUp())) continue;
      const last = lastWord?.(votes);
      if (last === undefined) throw this.noQuorum();
      return last;
    }
  }

  /** The values of a majority, of those that answer first. Throws `no_quorum`. */
  askMajority<T>(question: Question<T>): Promise<readonly T[]> {
    return this.decide(question, this.ofMajority);
  }

  /** The values of all that answer, a majority at least: for reads in which each vote counts. Throws `no_quorum`. */
  askAll<T>(question: Question<T>): Promise<readonly T[]> {
    return this.decide(question, (heard) => (heard.pending === 0 ? this.ofMajority(heard) : undefined));
  }

  /**
   * The values so far as soon as a majority agree by `text`; else those of all that answer, a majority at least. So where
   * the first two of three differ, the third decides. Throws `no_quorum`.
   */
  askAgreeing<T>(question: Question<T>, text: (value: T) => string): Promise<readonly T[]> {
    const agreed: Judge<T, readonly T[]> = ({ values }) =>
      repliedByMajority(values.map(text), this.majority) === undefined ? undefined : values;
    return this.decide(question, agreed, { lastWord: this.ofMajority });
  }

  /** The values once a majority have answered. */
  readonly ofMajority = <T>(heard: Heard<T>): readonly T[] | undefined =>
    heard.replied >= this.majority ? heard.values : undefined;

  /** Runs an operation of several steps again when the configuration changed under it and it found no quorum. */
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

  /** The version of the configuration in force for this instance. */
  get version(): number | null {
    return this.configuration.version;
  }

  /**
   * How many primaries take part in that configuration only once they were given a copy of what the others have, whatever they
   * have kept. 0 where that is not known.
   */
  fencedOut(configuration: string | null): number {
    return configuration === null ? 0 : this.configuration.fencedOut(configuration);
  }

  /** Has primaries that do not answer fenced out, so that the others need not wait for them; a majority must be left. */
  fenceOutAbsent(): Promise<void> {
    return this.configuration.fenceOutAbsent();
  }

  /** A secret that all instances of the deployment share, and no client knows. Throws `no_quorum` before it is known. */
  get deployment(): string {
    const { deployment } = this.configuration;
    if (deployment === null) throw this.noQuorum();
    return deployment;
  }

  /** No counter given out since the last cold start is below this. */
  get floor(): number {
    return this.configuration.floor;
  }

  /** The failure to find a majority, with what is known of the primaries now. */
  noQuorum(): CoordinationError {
    return noQuorum(
      this.shortage ?? `Fewer than ${this.majority} of ${this.all.length} primaries answered in time.`,
    );
  }

  #staleEpochs(): number {
    return this.all.reduce((sum, primary) => sum + primary.staleEpochs, 0);
  }

  #ask<T>(question: Question<T>): Votes<T> {
    const votes = new Votes<T>(this.all.length);
    this.all.forEach((primary, index) => {
      ask(primary, question, index, (answer) => votes.note(index, answer));
    });
    return votes;
  }

  close(): void {
    for (const primary of this.all) primary.close();
  }
}

const STALE_EPOCH_ATTEMPTS_MAX = 4;
