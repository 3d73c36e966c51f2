import { Fifo, type Linked } from "./fifo.js";

/** What waits, and since when. */
export interface Waiting<T> extends Linked<T> {
  arrivedMs: number;
}

/**
 * A queue that tells a burst from a crowd that will not end, as CoDel does (Nichols and Jacobson, "Controlling Queue
 * Delay", 2012; for requests Maurer, "Fail at Scale", 2015). One that empties again was a burst, and whoever is in it has
 * all of its patience. One that has stood for longer will not go away by waiting: from then on whoever would wait for
 * long is refused when it comes, which costs least, and the oldest are given up, so that the others are answered soon.
 */
export class StandingQueue<T extends Waiting<T>> extends Fifo<T> {
  /** Since when it has not been empty, nor let anybody through who had hardly waited, but for having refused others. */
  #standsSinceMs = 0;
  #refusedMs = Number.NEGATIVE_INFINITY;
  #taken = 0;
  /** How many leave it per ms. */
  #rate = 0;

  constructor(private readonly standing: Standing) {
    super();
  }

  add(ticket: T, nowMs: number): void {
    if (this.length === 0) this.#moves(nowMs);
    this.push(ticket);
  }

  /** Takes one out that has waited too long. */
  shed(ticket: T, nowMs: number): void {
    this.remove(ticket);
    this.#refusedMs = nowMs;
  }

  /** The first one, which is let in. */
  take(nowMs: number): T | null {
    const ticket = this.first;
    if (!ticket) return null;
    this.remove(ticket);
    this.#taken += 1;
    if (nowMs - ticket.arrivedMs <= SHORT_MS) this.#moves(nowMs);
    return ticket;
  }

  /** Whether whoever comes now is better told at once that its turn will not come in time. */
  refuses(nowMs: number): boolean {
    // So few are served soon, whatever was let in of late: the rate tells only of what came.
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

  /** Does as if so much time had not passed. */
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

/** When a queue stands, and what it does then. */
export interface Standing {
  /** How long whoever is in it may wait, ms: one that has stood for longer is no burst. */
  readonly burstMs: number;
  /** Whoever would wait longer is refused when it comes, ms. */
  readonly refusedMs: number;
  /** Whoever has waited longer is shed, ms. */
  readonly shedMs: number;
}

/** How long a request that says nothing of waiting may be in the queue: what a caller takes for a slow answer. */
export const PATIENCE_MS = 500;
/** Who waited no longer than that met no standing queue. */
const SHORT_MS = 20;
/** A crowd of which nobody had to be refused for so long is over. */
const CALM_MS = 250;
const FEW = 64;
const RATE_GAIN = 0.5;
