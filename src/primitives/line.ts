import type { Place } from "./place.js";

/** Those at this instance that wait for one name, in the order of their tickets. */
export class Line {
  readonly #places: Place[] = [];
  /** The highest ticket of the readers that were asked to ask since one was refused here. */
  #invitedUpTo = 0;
  readonly #callers = new Set<number>();

  get size(): number {
    return this.#places.length;
  }

  get first(): Place | undefined {
    return this.#places[0];
  }

  add(place: Place): void {
    this.#places.splice(this.#indexBehind(place.ticket), 0, place);
  }

  remove(place: Place): void {
    // Two requests for one lease may have the same ticket.
    for (let at = this.#indexBehind(place.ticket) - 1; this.#places[at]?.ticket === place.ticket; at--) {
      if (this.#places[at] !== place) continue;
      this.#places.splice(at, 1);
      return;
    }
  }

  /** A primary says that its readers may ask. How many have said so since they did. */
  called(primary: number): number {
    return this.#callers.add(primary).size;
  }

  /** All readers with a ticket below `before` ask now. */
  letReadersIn(before: number): void {
    this.#callers.clear();
    for (const place of this.#places) {
      if (place.ticket >= before) break;
      this.#invitedUpTo = Math.max(this.#invitedUpTo, place.ticket);
      if (place.claim.mode === "shared") place.nudge();
    }
  }

  /** A reader was granted the name: those behind it may be, too, unless they were all invited with it. */
  readerGranted({ ticket }: Place): void {
    if (ticket > this.#invitedUpTo) this.letReadersIn(Number.POSITIVE_INFINITY);
  }

  /** A reader was refused: what was true when the others were invited need not be any more. */
  readerRefused(): void {
    this.#invitedUpTo = 0;
  }

  /** The index behind the last place with this ticket or a lower one. Most come last. */
  #indexBehind(ticket: number): number {
    let low = 0;
    let high = this.#places.length;
    if (high > 0 && (this.#places[high - 1] as Place).ticket <= ticket) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#places[middle] as Place).ticket <= ticket) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
