import { call, WAIT_MS } from "./calls.js";
import type { CallOptions, Transport } from "./transport.js";
import type { BeginTransactionRequest, Transaction, VoteRequest } from "./types.js";
import { wallClockMs } from "./world.js";

export type BeginOptions = BeginTransactionRequest & CallOptions;

/** Transactions across services: all participants commit, or none does. Each request can be sent again. */
export class Transactions {
  constructor(private readonly transport: Transport) {}

  /**
   * Begins one. `deadlineMs`: time for all votes, in ms; then it is aborted. Without an `id` it gets one of its own. Throws
   * `lease_lost` where one of its `leases` is not held, and `idempotency_mismatch` where the `id` was used for another one.
   *
   * @example
   * const { id } = await quorate.transactions.begin({ participants: ["stock", "payment"], deadlineMs: 30_000 });
   */
  begin({ timeoutMs, signal, id = this.#newId(), ...terms }: BeginOptions): Promise<Transaction> {
    return this.#send("POST", "", { timeoutMs, signal }, { id, ...terms });
  }

  /**
   * The last yes commits it, a no aborts it. Throws `already_decided`, with the `decision`, where it comes too late,
   * `contrary_vote` where the participant has voted otherwise, and `decision_forgotten` for an `id` that is too old to be known.
   */
  vote(
    id: string,
    participant: string,
    vote: VoteRequest["vote"],
    { reason, ...options }: CallOptions & { readonly reason?: string } = {},
  ): Promise<Transaction> {
    return this.#send("POST", `/${id}/vote`, options, { participant, vote, reason });
  }

  /** The participant has done what was decided. Throws `not_decided` before. */
  acknowledge(id: string, participant: string, options: CallOptions = {}): Promise<Transaction> {
    return this.#send("POST", `/${id}/acknowledge`, options, { participant });
  }

  /** Throws `already_decided` where it is committed. */
  abort(id: string, reason: string, options: CallOptions = {}): Promise<Transaction> {
    return this.#send("POST", `/${id}/abort`, options, { reason });
  }

  /** Throws `not_found` where nobody has begun it, and `decision_forgotten` where it may have been decided long ago. */
  get(id: string, options: CallOptions = {}): Promise<Transaction> {
    return this.#send("GET", `/${id}`, options);
  }

  /** Waits for the decision: for as long as that takes, unless the signal aborts. Throws as `get` does. */
  async decision(id: string, options: CallOptions = {}): Promise<NonNullable<Transaction["decision"]>> {
    for (;;) {
      const path = `/${id}?waitMs=${WAIT_MS}`;
      const { decision } = await this.#send("GET", path, options, undefined, WAIT_MS);
      if (decision) return decision;
    }
  }

  async #send(method: "GET" | "POST", path: string, options: CallOptions, body?: object, waitMs = 0) {
    const request = {
      method,
      path: `/transactions${path}`,
      has: "participants",
      waitMs,
      ...(body && { body }),
    };
    return (await call<Transaction>(this.transport, request, options)).body;
  }

  /** A UUID of version 7, so that the request can be sent again. */
  #newId(): string {
    const time = wallClockMs().toString(16).padStart(12, "0");
    const digits = [...this.transport.world.leaseId()]
      .map((sign) => (sign.charCodeAt(0) & 15).toString(16))
      .join("");
    return `${time.slice(0, 8)}-${time.slice(8)}-7${digits.slice(0, 3)}-a${digits.slice(3, 6)}-${digits.slice(6, 18)}`;
  }
}
