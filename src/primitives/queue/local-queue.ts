import type { QueueEntry } from "./queue-entry.js";

/** Those at this instance that wait for one name, in the order of their tickets. */
export class LocalQueue {
  readonly #entries: QueueEntry[] = [];
  /** The highest ticket of the readers that were asked to ask since one was refused here. */
  #invitedUpTo = 0;
  readonly #notifiers = new Set<number>();

  get size(): number {
    return this.#entries.length;
  }

  get first(): QueueEntry | undefined {
    return this.#entries[0];
  }

  add(entry: QueueEntry): void {
    this.#entries.splice(this.#indexBehind(entry.ticket), 0, entry);
  }

  remove(entry: QueueEntry): void {
    // Two requests for one lease may have the same ticket.
    for (let at = this.#indexBehind(entry.ticket) - 1; this.#entries[at]?.ticket === entry.ticket; at--) {
      if (this.#entries[at] !== entry) continue;
      this.#entries.splice(at, 1);
      return;
    }
  }

  /** A primary says that its readers may ask. How many have said so since they did. */
  notified(primary: number): number {
    return this.#notifiers.add(primary).size;
  }

  /** All readers with a ticket below `before` ask now. */
  letReadersIn(before: number): void {
    this.#notifiers.clear();
    for (const entry of this.#entries) {
      if (entry.ticket >= before) break;
      this.#invitedUpTo = Math.max(this.#invitedUpTo, entry.ticket);
      if (entry.claim.mode === "shared") entry.nudge();
    }
  }

  /** A reader was granted the name: those behind it may be, too, unless they were all invited with it. */
  readerGranted({ ticket }: QueueEntry): void {
    if (ticket > this.#invitedUpTo) this.letReadersIn(Number.POSITIVE_INFINITY);
  }

  /** A reader was refused: what was true when the others were invited need not be any more. */
  readerRefused(): void {
    this.#invitedUpTo = 0;
  }

  /** The index behind the last place with this ticket or a lower one. Most come last. */
  #indexBehind(ticket: number): number {
    let low = 0;
    let high = this.#entries.length;
    if (high > 0 && (this.#entries[high - 1] as QueueEntry).ticket <= ticket) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle] as QueueEntry).ticket <= ticket) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
