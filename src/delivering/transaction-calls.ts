import { fullJitterMs } from "../algorithms/backoff.js";
import type { Places } from "../algorithms/places.js";
import type { Transaction, Vote } from "../algorithms/two-phase.js";
import type { Clock, Random } from "../clock.js";
import type { AllowList } from "../outbound/allow-list.js";
import { readUrl, WEB } from "../outbound/destination.js";
import type { Post, Posted } from "../outbound/post.js";
import type { Callbacks, Callees, TransactionName } from "../primitives/transactions/callbacks.js";
import type { Told, Transactions } from "../primitives/transactions/transactions.js";
import { registerName } from "../scripts/register-kinds.js";
import { signedHeaders } from "./signature.js";

export interface CallDependencies {
  readonly transactions: Pick<Transactions, "get" | "decided" | "vote" | "acknowledge">;
  readonly callbacks: Pick<Callbacks, "forget">;
  readonly allow: Pick<AllowList, "hasHost">;
  readonly post: Post;
  readonly places: Pick<Places, "run">;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer?: CallObserver | undefined;
}

/** What a participant is called for. */
export type CallStep = "prepare" | "commit" | "abort";

/** How a call ended. `refused`: by a status outside 200 to 299, or by an answer that is no vote. */
export type CallOutcome = "done" | "refused" | Exclude<Posted["kind"], "answered">;

export interface CallObserver {
  called(step: CallStep, outcome: CallOutcome): void;
}

/**
 * Calls the participants of one transaction: each for its vote, and then with the decision until it has acknowledged it.
 * Whatever it learns is kept in the transaction before it goes on, so that another instance goes on from there. A participant
 * whose answer was lost, or whose caller died before it was kept, is called again.
 */
export class TransactionCalls {
  readonly #stopping = new AbortController();
  readonly #register: string;

  constructor(
    private readonly name: TransactionName,
    private readonly callees: Callees,
    private readonly dependencies: CallDependencies,
  ) {
    this.#register = registerName("transaction", name.namespace, name.id);
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** Resolves when all of them have acknowledged, or when it was stopped. */
  async run(): Promise<void> {
    const { signal } = this.#stopping;
    const { clock } = this.dependencies;
    while (!signal.aborted) {
      try {
        const { told } = await this.dependencies.transactions.get(this.#register);
        if (told?.transaction.state === "active") await this.#prepare(told);
        // Where nothing is known of it any more, it was remembered for as long as a decision is.
        else if (told === null || (await this.#carryOut(told))) {
          await this.dependencies.callbacks.forget(this.name);
          return;
        }
      } catch {
        // Without a majority nothing is known.
        if (!signal.aborted) await clock.sleep(PAUSE_MS, signal).catch(() => {});
      }
    }
  }

  /** Asks for the votes that are missing, until the transaction is decided. */
  async #prepare({ transaction, deadlineInMs }: Told): Promise<void> {
    const { transactions, clock } = this.dependencies;
    const untilMs = clock.monotonicMs() + Math.max(0, deadlineInMs ?? 0) + DECIDED_AFTER_MS;
    await this.#within(null, async (signal) => {
      const decided = () => transactions.decided(this.#register, untilMs, signal);
      const missing = transaction.participants.filter(({ name, vote }) => vote === null && this.#urlOf(name));
      const votes = missing.map(({ name }) => this.#askVote(name, transaction, signal));
      // The last vote decides, and is seen at once; those of others and the deadline are seen soon.
      await Promise.race([Promise.all(votes).then(decided), decided()]);
    });
  }

  async #askVote(participant: string, transaction: Transaction, signal: AbortSignal): Promise<void> {
    const { transactions } = this.dependencies;
    await this.#until(signal, async () => {
      const answer = await this.#call("prepare", participant, transaction, signal);
      const vote = answer === null ? null : voteIn(answer);
      this.#observe("prepare", answer, vote !== null);
      if (vote === null) return false;
      // Refused: it is decided by now.
      await transactions.vote(this.#register, participant, vote.vote, vote.reason);
      return true;
    });
  }

  /** Tells the decision to those that have not acknowledged it. Returns whether all have: not if it takes too long. */
  async #carryOut({ transaction }: Told): Promise<boolean> {
    const { transactions } = this.dependencies;
    const step = transaction.decision === "committed" ? "commit" : "abort";
    const missing = transaction.participants.filter(
      ({ name, acknowledged }) => !acknowledged && this.#urlOf(name),
    );
    return this.#within(CARRY_OUT_MS, async (signal) => {
      const all = missing.map(({ name }) =>
        this.#until(signal, async () => {
          const answer = await this.#call(step, name, transaction, signal);
          const isDone = answer?.kind === "answered" && isSuccess(answer.status);
          this.#observe(step, answer, isDone);
          if (isDone) await transactions.acknowledge(this.#register, name);
          return isDone;
        }),
      );
      await Promise.all(all);
      return !signal.aborted;
    });
  }

  /** Runs `work` with a signal that aborts when it has ended, after `ms`, and when this is to stop. */
  async #within<T>(ms: number | null, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#stopping;
    const over = new AbortController();
    const end = () => over.abort();
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    const cancel = ms === null ? () => {} : this.dependencies.clock.after(ms, end);
    try {
      return await work(over.signal);
    } finally {
      cancel();
      signal.removeEventListener("abort", end);
      end();
    }
  }

  /** Tries again, later and later, until it is done. */
  async #until(signal: AbortSignal, attempt: () => Promise<boolean>): Promise<void> {
    const { clock, random } = this.dependencies;
    for (let failures = 0; !signal.aborted; failures++) {
      if (await attempt().catch(() => false)) return;
      const waitMs = fullJitterMs(failures, BACK_OFF_MS.base, BACK_OFF_MS.cap, random());
      await clock.sleep(waitMs, signal).catch(() => {});
    }
  }

  /** Null: its host is not allowed here. */
  async #call(
    type: CallStep,
    participant: string,
    { participants, payload, leases = [], reason }: Transaction,
    signal: AbortSignal,
  ): Promise<Posted | null> {
    const { allow, post, places, clock } = this.dependencies;
    const { namespace, id } = this.name;
    const to = readUrl(this.#urlOf(participant) ?? "", WEB);
    if (!to || !allow.hasHost(to.host)) return null;
    const transaction = {
      id,
      participants: participants.map(({ name }) => name),
      payload: payload === null ? null : (JSON.parse(payload) as unknown),
      leases: leases.map(({ kind, names, fencingToken }) => ({ kind, names, fencingToken })),
      ...(type === "abort" && { reason }),
    };
    const body = JSON.stringify({ type, namespace, participant, transaction });
    return places.run(async () => {
      const call = `${id}/${participant}/${type}`;
      const headers = signedHeaders(call, body, this.callees.secret, clock.wallMicros() / 1_000);
      const outgoing = { headers, body, timeoutMs: CALL_TIMEOUT_MS, answerBytesMax: ANSWER_BYTES_MAX };
      return post(to, outgoing, signal);
    });
  }

  #observe(step: CallStep, answer: Posted | null, isDone: boolean): void {
    const failure = answer === null ? "forbidden" : answer.kind === "answered" ? "refused" : answer.kind;
    if (!this.#stopping.signal.aborted) this.dependencies.observer?.called(step, isDone ? "done" : failure);
  }

  #urlOf(participant: string): string | undefined {
    const { urls } = this.callees;
    return Object.hasOwn(urls, participant) ? urls[participant] : undefined;
  }
}

/** What a participant has answered to `prepare`; null: nothing that counts. */
function voteIn(answer: Posted): { readonly vote: Vote; readonly reason: string | null } | null {
  if (answer.kind !== "answered" || !isSuccess(answer.status) || answer.text === null) return null;
  try {
    const { vote, reason } = JSON.parse(answer.text) ?? {};
    if (vote !== "yes" && vote !== "no") return null;
    return { vote, reason: typeof reason === "string" && reason !== "" ? reason.slice(0, 256) : null };
  } catch {
    return null;
  }
}

const isSuccess = (status: number) => status >= 200 && status <= 299;

/** How long the sweeper may take to see that a deadline has passed. */
const DECIDED_AFTER_MS = 5_000;
const PAUSE_MS = 1_000;
/** Then it looks whether the decision is still remembered. */
const CARRY_OUT_MS = 3_600_000;
/** For resolving, connecting, and the whole answer. */
export const CALL_TIMEOUT_MS = 5_000;
/** A vote and its reason. */
const ANSWER_BYTES_MAX = 4_096;
const BACK_OFF_MS = { base: 500, cap: 60_000 };
