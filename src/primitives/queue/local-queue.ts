import type { Waiter } from "./waiter.js";

/**
 * The waiters of this instance for one name, in the order in which the primaries have them: by ticket, and those with one
 * ticket by the text of their entries. Requests that arrive together may get one ticket. In another order the first waiter
 * here would not be the first there: nobody would be nudged that may be granted the name.
 */
export class LocalQueue {
  readonly #waiters: Waiter[] = [];
  /** The highest ticket of the readers that were invited to make an attempt since one was refused here. */
  #invitedUpTo = 0;
  readonly #notifiers = new Set<number>();

  get size(): number {
    return this.#waiters.length;
  }

  get first(): Waiter | undefined {
    return this.#waiters[0];
  }

  add(waiter: Waiter): void {
    this.#waiters.splice(this.#indexBehind(waiter), 0, waiter);
  }

  remove(waiter: Waiter): void {
    // Two requests for one lease may have the same ticket.
    for (let at = this.#indexBehind(waiter) - 1; this.#waiters[at]?.ticket === waiter.ticket; at--) {
      if (this.#waiters[at] !== waiter) continue;
      this.#waiters.splice(at, 1);
      return;
    }
  }

  /** A primary reports that the readers may enter. Returns how many primaries have since the readers last made attempts. */
  notified(primary: number): number {
    return this.#notifiers.add(primary).size;
  }

  /** Makes all readers with a ticket below `before` attempt now. */
  letReadersIn(before: number): void {
    this.#notifiers.clear();
    for (const waiter of this.#waiters) {
      if (waiter.ticket >= before) break;
      this.#invitedUpTo = Math.max(this.#invitedUpTo, waiter.ticket);
      if (waiter.claim.mode === "shared") waiter.nudge();
    }
  }

  /** A reader was granted the name: the readers behind it may be granted it too, unless they were all invited with it. */
  readerGranted({ ticket }: Waiter): void {
    if (ticket > this.#invitedUpTo) this.letReadersIn(Number.POSITIVE_INFINITY);
  }

  /** A reader was refused: the invitation of the others may no longer hold. */
  readerRefused(): void {
    this.#invitedUpTo = 0;
  }

  /** The index behind the last waiter with this entry or an earlier one. Most arrive last. */
  #indexBehind(waiter: Waiter): number {
    let low = 0;
    let high = this.#waiters.length;
    if (high > 0 && !isBefore(waiter, this.#waiters[high - 1] as Waiter)) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(waiter, this.#waiters[middle] as Waiter)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** By the order of a sorted set, as Redis has it. Entries are ASCII. */
function isBefore(one: Waiter, other: Waiter): boolean {
  return one.ticket === other.ticket ? entryOf(one) < entryOf(other) : one.ticket < other.ticket;
}

/** As in lib/queues.lua. */
const entryOf = ({ claim: { mode, leaseId } }: Waiter) => `${mode === "shared" ? "r" : "w"}${leaseId}`;
