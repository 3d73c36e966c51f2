import type { Clock } from "../clock.js";
import { CoordinationError } from "../errors.js";
import type { Keys } from "../redis/keys.js";
import { type Claim, keepWaiting, leaveLine, takeTicket } from "../redis/lease-calls.js";
import { answerOf, type Primaries } from "../redis/primaries.js";
import type { Wakes } from "../redis/wakes.js";

/** How a wait ended: it is worth to ask again; the time is over; the client has gone. */
export type Turn = "try" | "late" | "gone";

/**
 * Those who wait at this instance. The lines themselves are on the primaries; here everybody sleeps until a primary
 * says that it is their turn, the holder's time is over, or a second has passed for who is first.
 */
export class WaitingRoom {
  readonly #lines = new Map<string, Set<Place>>();
  readonly #byLease = new Map<string, Set<Place>>();
  #stopped = false;
  #ticking = false;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly wakes: Wakes,
    /** Names this instance in the lines. */
    readonly instance: string,
  ) {}

  /** Takes a ticket, behind all who wait already. Throws `no_quorum` and `shutting_down`. */
  async enter(claim: Claim): Promise<Place> {
    this.#assertOpen();
    const proposals = await this.primaries.askMajority(takeTicket(this.keys, claim));
    this.#assertOpen();
    const taken = proposals.filter((proposal) => proposal.taken);
    const ticket = Math.max(...(taken.length > 0 ? taken : proposals).map((proposal) => proposal.ticket));
    const place = new Place(claim, ticket, this);
    for (const line of claim.lines) add(this.#lines, line, place);
    add(this.#byLease, claim.leaseId, place);
    this.wakes.listen(
      (primary, leaseId) => {
        for (const one of this.#byLease.get(leaseId) ?? []) one.called(primary, this.primaries.majority);
      },
      () => this.#poll(),
    );
    if (!this.#ticking) void this.#tick();
    return place;
  }

  /**
   * Gives the place up. `granted`: for good, and nobody can follow yet. `keepMs`: it is kept for a client that may come
   * back. What a primary does not hear now it is told later.
   */
  leave(place: Place, how: { granted: boolean; keepMs: number }): void {
    const { claim } = place;
    for (const line of claim.lines) remove(this.#lines, line, place);
    remove(this.#byLease, claim.leaseId, place);
    // The same lease may be waited for by two requests, one a repetition of the other.
    if (!how.granted && this.#byLease.has(claim.leaseId)) return;
    const call = leaveLine(this.keys, claim, {
      keepMs: how.keepMs,
      // One release may have been enough for several permits.
      wake: !how.granted || claim.limit !== null,
    });
    for (const primary of this.primaries.all) {
      void answerOf(primary, call).then((answer) => {
        if (!answer.ok) primary.owe(`leave/${claim.leaseId}`, call);
      });
    }
    if (!how.granted || claim.mode === "exclusive") return;
    // Readers that stand behind one that was let in may be let in, too.
    for (const line of claim.lines)
      for (const other of this.#lines.get(line) ?? []) if (other.claim.mode === "shared") other.nudge();
  }

  /** Whether nobody at this instance stands before it: then it is the one that asks again and again. */
  isFirst(place: Place): boolean {
    return place.claim.lines.every((line) =>
      [...(this.#lines.get(line) ?? [])].every((other) => other.ticket >= place.ticket),
    );
  }

  /** How many requests wait here. */
  get size(): number {
    let size = 0;
    for (const places of this.#byLease.values()) size += places.size;
    return size;
  }

  after(ms: number, task: () => void): () => void {
    return this.clock.after(ms, task);
  }

  monotonicMs(): number {
    return this.clock.monotonicMs();
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Everybody here is sent away. */
  stop(): void {
    this.#stopped = true;
    for (const places of this.#byLease.values()) for (const place of places) place.nudge();
  }

  #assertOpen(): void {
    if (this.#stopped)
      throw new CoordinationError("shutting_down", "This instance is stopping. Use another.");
  }

  /** As long as somebody waits: says that this instance lives, and lets the first ones ask again. */
  async #tick(): Promise<void> {
    this.#ticking = true;
    const call = keepWaiting(this.keys, this.instance, ALIVE_MS);
    for (let tick = 1; this.#byLease.size > 0 && !this.#stopped; tick++) {
      await this.clock.sleep(TICK_MS);
      if (this.#byLease.size === 0) break;
      for (const primary of this.primaries.all) void answerOf(primary, call);
      if (tick % TICKS_PER_POLL === 0) this.#poll();
    }
    this.#ticking = false;
  }

  #poll(): void {
    const first = new Set<Place>();
    for (const places of this.#lines.values()) {
      let best: Place | null = null;
      for (const place of places) if (!best || place.ticket < best.ticket) best = place;
      if (best) first.add(best);
    }
    for (const place of first) if (place.claim.lines.length === 1 || this.isFirst(place)) place.nudge();
  }
}

/** One request's place in the lines of what it wants. */
export class Place {
  #nudged = false;
  #wake: (() => void) | null = null;
  readonly #callers = new Set<number>();

  constructor(
    readonly claim: Claim,
    readonly ticket: number,
    private readonly room: WaitingRoom,
  ) {}

  /** A primary says that it is its turn. One that hurries to the others would be there before the release. */
  called(primary: number, majority: number): void {
    this.#callers.add(primary);
    if (this.#callers.size >= majority) this.nudge();
    else if (this.#callers.size === 1) this.room.after(STRAGGLER_MS, () => this.nudge());
  }

  /** It should ask again. */
  nudge(): void {
    this.#callers.clear();
    this.#nudged = true;
    this.#wake?.();
  }

  /**
   * Sleeps until it is worth to ask again: when it is nudged, or `hintMs` from now if it is first then; at the latest at
   * `deadlineMs`. Throws `shutting_down`.
   */
  async turn(deadlineMs: number, hintMs: number, signal?: AbortSignal): Promise<Turn> {
    const { room } = this;
    if (!this.#nudged && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const end = () => {
          for (const cancel of timers) cancel();
          signal?.removeEventListener("abort", end);
          this.#wake = null;
          resolve();
        };
        const timers = [room.after(Math.max(0, deadlineMs - room.monotonicMs()), end)];
        if (hintMs < POLL_MS) timers.push(room.after(hintMs, () => room.isFirst(this) && this.nudge()));
        signal?.addEventListener("abort", end);
        this.#wake = end;
      });
    }
    this.#nudged = false;
    if (room.stopped) throw new CoordinationError("shutting_down", "This instance is stopping. Use another.");
    if (signal?.aborted) return "gone";
    return room.monotonicMs() >= deadlineMs ? "late" : "try";
  }
}

function add<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const values = map.get(key);
  if (values) values.add(value);
  else map.set(key, new Set([value]));
}

function remove<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const values = map.get(key);
  values?.delete(value);
  if (values?.size === 0) map.delete(key);
}

/** With these, a place whose instance died is given up, and the next one let in, within two seconds. */
const TICK_MS = 400;
const TICKS_PER_POLL = 2;
const POLL_MS = TICK_MS * TICKS_PER_POLL;
/** Places of an instance that was not heard of for so long are given up. As in leases.lua, `join`. */
const ALIVE_MS = 1_200;
/** Of a release the primaries tell within a millisecond of each other, or not at all. */
const STRAGGLER_MS = 5;
