import { Fifo, type Linked } from "./fifo.js";

/** An element that waits, and since when. */
export interface Waiting<T> extends Linked<T> {
  arrivedMs: number;
}

/**
 * A queue that tells a burst from a lasting overload, as CoDel does (Nichols and Jacobson, "Controlling Queue Delay",
 * 2012; for requests Maurer, "Fail at Scale", 2015). A queue that empties again was a burst, and its requests may wait
 * with all their patience. A queue that has stood for longer will not drain by waiting: from then on a request that
 * would wait for long is refused on arrival, which costs least, and the oldest are shed, so that the others are
 * answered soon.
 */
export class StandingQueue<T extends Waiting<T>> extends Fifo<T> {
  /**
   * Since when the queue stands: when it was last empty or admitted a request that had hardly waited, with no recent
   * refusal.
   */
  #standsSinceMs = 0;
  #refusedMs = Number.NEGATIVE_INFINITY;
  #taken = 0;
  /** How many requests are taken from it per ms. */
  #rate = 0;

  constructor(private readonly standing: Standing) {
    super();
  }

  add(ticket: T, nowMs: number): void {
    if (this.length === 0) this.#moves(nowMs);
    this.push(ticket);
  }

  /** Removes a request that has waited too long. */
  shed(ticket: T, nowMs: number): void {
    this.remove(ticket);
    this.#refusedMs = nowMs;
  }

  /** Takes the first request, which is admitted. */
  take(nowMs: number): T | null {
    const ticket = this.first;
    if (!ticket) return null;
    this.remove(ticket);
    this.#taken += 1;
    if (nowMs - ticket.arrivedMs <= SHORT_MS) this.#moves(nowMs);
    return ticket;
  }

  /** Whether a request that arrives now should be refused at once, since it would not be admitted in time. */
  refuses(nowMs: number): boolean {
    // A queue this short is served soon, whatever the recent rate: the rate only counts requests that arrived.
    if (this.length < FEW || !this.#stands(nowMs)) return false;
    if (this.length <= this.#rate * this.standing.refusedMs) return false;
    this.#refusedMs = nowMs;
    return true;
  }

  patienceMs(nowMs: number): number {
    return this.#stands(nowMs) ? this.standing.shedMs : this.standing.burstMs;
  }

  measure(windowMs: number): void {
    this.#rate += (this.#taken / windowMs - this.#rate) * RATE_GAIN;
    this.#taken = 0;
  }

  /** Acts as if this much time had not passed. */
  forgive(ms: number): void {
    this.#standsSinceMs += ms;
    for (let one = this.first; one; one = one.after) one.arrivedMs += ms;
  }

  #moves(nowMs: number): void {
    if (nowMs - this.#refusedMs > CALM_MS) this.#standsSinceMs = nowMs;
  }

  #stands(nowMs: number): boolean {
    return this.length > 0 && nowMs - this.#standsSinceMs > this.standing.burstMs;
  }
}

/** When a queue counts as standing, and what it does then. */
export interface Standing {
  /** How long a request may wait, ms: a queue that has stood for longer is no burst. */
  readonly burstMs: number;
  /** A request that would wait longer is refused on arrival, ms. */
  readonly refusedMs: number;
  /** A request that has waited longer is shed, ms. */
  readonly shedMs: number;
}

/** How long a request that declares no wait may be in the queue: what a caller accepts as a slow answer. */
export const PATIENCE_MS = 500;
/** A request that waited no longer than this met no standing queue. */
const SHORT_MS = 20;
/** An overload is over once no request had to be refused for this long. */
const CALM_MS = 250;
const FEW = 64;
const RATE_GAIN = 0.5;
