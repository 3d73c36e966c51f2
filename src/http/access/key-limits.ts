import type { ServerResponse } from "node:http";
import type { Context } from "hono";
import { Quotas, type Reservation } from "../../access/quotas.js";
import { type Rate, Rates } from "../../access/rates.js";
import { Usage } from "../../access/usage.js";
import type { Clock } from "../../clock.js";
import { CoordinationError } from "../../errors.js";
import type { Env } from "../context.js";
import { outgoingOf } from "../server/arrivals.js";
import { type Done, termsOf } from "./acts.js";
import type { Permitted } from "./authorization.js";

/** What a request takes for as long as it lasts. */
export type Concurrent = "waiting" | "streams";

/** A request, as far as it is limited. */
export interface Work {
  /** Null: it neither waits nor is a stream. */
  readonly concurrent: Concurrent | null;
  readonly done: Done;
}

/**
 * How much a key may use of this instance in each namespace: requests a second, requests that wait, streams, live leases
 * and members. A key without limits costs next to nothing here.
 */
export class KeyLimits {
  readonly #rates: Rates;
  readonly #usage = new Usage<Concurrent>();
  readonly #quotas: Quotas;

  constructor(clock: Clock) {
    this.#rates = new Rates(clock);
    this.#quotas = new Quotas(clock);
  }

  /**
   * Counts a request that is judged by `judge`: in its namespace, or with all that are forbidden if that throws, since a key
   * may name as many namespaces as it likes. Throws `rate_limited`.
   */
  counted(c: Context<Env>, namespace: string, judge: () => void): void {
    try {
      judge();
    } catch (forbidden) {
      this.#count(c, FORBIDDEN);
      throw forbidden;
    }
    this.#count(c, namespace);
  }

  #count(c: Context<Env>, namespace: string): void {
    const principal = c.get("principal");
    const rate = principal && this.#rates.take(principal.id, namespace, principal.limits);
    if (!rate) return;
    c.set("rate", rate);
    if (!rate.allowed) throw rateLimited(rate);
  }

  /**
   * Handles a request within the limits of its key on what lasts and what lives. Throws `quota_exceeded`. `answerOf`: what the
   * answer says. What the request keeps besides, such as leases that heartbeats renew, is in the context as `kept`.
   */
  within<A>(
    c: Context<Env>,
    work: Work,
    handle: () => Promise<A> | A,
    answerOf: (handled: A) => Done["answer"],
  ): Promise<A> | A {
    const permitted = c.get("permitted");
    if (!permitted) return handle();
    const { waiting, streams, leases, members } = permitted.principal.limits;
    const isLimited = (waiting ?? streams ?? leases ?? members) !== undefined;
    if (!isLimited) return handle();
    const handleCounted = () => this.#counting(c, permitted, work.done, handle, answerOf);
    return work.concurrent
      ? this.#concurrently(permitted, work.concurrent, outgoingOf(c), handleCounted)
      : handleCounted();
  }

  async #concurrently<A>(
    permitted: Permitted,
    concurrent: Concurrent,
    outgoing: ServerResponse | undefined,
    handle: () => Promise<A>,
  ): Promise<A> {
    const leave = this.#enter(permitted, concurrent);
    // The answer of a stream goes on after it was handled, until its client has gone.
    const goesOn = concurrent === "streams" && outgoing !== undefined && !outgoing.closed;
    if (goesOn) outgoing.once("close", leave);
    try {
      return await handle();
    } finally {
      if (!goesOn) leave();
    }
  }

  /** Counts what begins, lives on or ends by the request. */
  async #counting<A>(
    c: Context<Env>,
    permitted: Permitted,
    done: Done,
    handle: () => Promise<A> | A,
    answerOf: (handled: A) => Done["answer"],
  ): Promise<A> {
    const reservation = this.#reserve(permitted, done);
    try {
      const handled = await handle();
      const { principal, namespace } = permitted;
      for (const { leaseId, ttlMs } of c.get("kept") ?? [])
        this.#quotas.extend(principal, namespace, "leases", leaseId, ttlMs);
      this.#settle(permitted, { ...done, answer: answerOf(handled) }, reservation);
      return handled;
    } finally {
      reservation?.close();
    }
  }

  #enter({ principal, namespace }: Permitted, concurrent: Concurrent): () => void {
    const max = principal.limits[concurrent];
    const leave = this.#usage.enter(principal.id, namespace, concurrent, max);
    if (!leave)
      throw quotaExceeded(max, concurrent === "waiting" ? "requests that wait" : "streams", namespace);
    return leave;
  }

  #reserve({ principal, namespace, act }: Permitted, done: Done): Reservation | undefined {
    const quota = act && termsOf(act).quota;
    if (quota?.effect !== "begins") return undefined;
    const { what, idOf } = quota;
    const reservation = this.#quotas.reserve(principal, namespace, what, idOf(done));
    if (!reservation) throw quotaExceeded(principal.limits[what], what, namespace);
    return reservation;
  }

  #settle({ principal, namespace, act }: Permitted, done: Done, reservation: Reservation | undefined): void {
    if (!act) return;
    const { quota, extendsMembers } = termsOf(act);
    for (const { id, ttlMs } of extendsMembers?.(done) ?? [])
      this.#quotas.extend(principal, namespace, "members", id, ttlMs);
    const id = quota?.idOf(done);
    if (!quota || id === undefined) return;
    const { effect, what } = quota;
    const ttlMs = done.answer?.ttlMs as number;
    const keptForMs = quota.keptForMs?.(done);
    if (effect === "begins") reservation?.take(id, ttlMs);
    else if (effect === "extends") this.#quotas.extend(principal, namespace, what, id, ttlMs);
    else {
      this.#quotas.end(namespace, what, id);
      if (keptForMs !== undefined) this.#quotas.extend(principal, namespace, what, id, keptForMs);
    }
  }
}

export function rateLimited({
  retryAfterMs,
  quota,
  windowS,
}: Pick<Rate, "retryAfterMs" | "quota" | "windowS">): CoordinationError {
  return new CoordinationError(
    "rate_limited",
    `This key may make ${quota} requests in ${windowS} s in this namespace, at each instance. Try again after retryAfterMs.`,
    { help: { retryAfterMs: Math.max(1, retryAfterMs) } },
  );
}

export function quotaExceeded(max: number | undefined, what: string, namespace: string): CoordinationError {
  return new CoordinationError(
    "quota_exceeded",
    `This key has ${max} ${what} in namespace ${namespace} at this instance, and may have no more. Try again when some have ended.`,
    { help: { retryAfterMs: 1_000 } },
  );
}

/** The namespace of requests that are forbidden: no namespace has this name. */
const FORBIDDEN = "";
