import { CoordinationError, type ErrorCode } from "../../errors.js";
import type { InFlight } from "../leases/lease-terms.js";
import { barrierMismatch, noGeneration } from "./register-failures.js";
import type { Registers } from "./registers.js";

/** Those who want to go on together: all wait until as many as it takes have arrived. */
export interface Arrival {
  /** Who arrives: counts once per generation. */
  readonly id: string;
  /** Undefined: the one that others arrive at now. */
  readonly generation?: number | undefined;
  /** How many it takes. */
  readonly count: number;
  /** For how long it counts, ms. */
  readonly ttlMs: number;
}

export interface Arrived {
  readonly generation: number;
  /** How many have, this one included. */
  readonly arrived: number;
  /** All have: go on. */
  readonly released: boolean;
}

/** For how long an arrival is waited for. */
export interface Waiting {
  readonly waitMs: number;
  /** By the monotonic clock. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly inFlight?: InFlight | undefined;
}

/** Barriers, one register for each. By the names of registers. All throw as `Changes.change` does. */
export class Barriers {
  constructor(private readonly registers: Pick<Registers, "changes" | "until">) {}

  /** Throws `limit_mismatch` where others wait for another count, and `not_found` for an unknown generation. */
  async arrive(name: string, arrival: Arrival, waiting: Waiting): Promise<Arrived> {
    // It counts for as long as its request waits.
    const ttlMs = Math.max(arrival.ttlMs, waiting.waitMs);
    const outcome = await this.#step(name, (barrier, nowMs) =>
      arriveAt(barrier, { ...arrival, ttlMs }, nowMs),
    );
    if (outcome.released || waiting.waitMs === 0) return outcome;
    try {
      return await this.#released(name, { ...arrival, generation: outcome.generation }, waiting, outcome);
    } catch (error) {
      // It has arrived, and counts: a failure would say that it may not.
      if (error instanceof CoordinationError && UNANSWERED.includes(error.code)) return outcome;
      throw error;
    }
  }

  /** `before`: how it stood when it had arrived. */
  async #released(
    name: string,
    arrival: Arrival & { readonly generation: number },
    { deadlineMs, signal, inFlight }: Waiting,
    before: Arrived,
  ): Promise<Arrived> {
    const { generation } = arrival;
    const isOver = (barrier: Barrier | null) => barrier === null || barrier.generation > generation;
    const seen = barrierIn(
      await this.registers.until(
        name,
        (register) => isOver(barrierIn(register)),
        deadlineMs,
        signal,
        inFlight,
      ),
    );
    if (isOver(seen)) return toArrived(seenAt(seen, arrival, 0));
    if (signal?.aborted) return before;
    // Some may have ended: only the primaries' clocks can tell.
    return this.#step(name, (barrier, nowMs) => seenAt(barrier, arrival, nowMs));
  }

  async #step(name: string, step: (barrier: Barrier | null, nowMs: number) => Step): Promise<Arrived> {
    const changed = await this.registers.changes.change<Step>(name, ({ version }, { nowMs }) => {
      const made = step(barrierIn(version), nowMs);
      if (made.kind !== "arrived" || !made.next) return { kind: "keep", result: made };
      const lastMs = Math.max(nowMs, ...Object.values(made.next.arrivals));
      const ttlMs = lastMs - nowMs + REMEMBERED_MS;
      return { kind: "write", json: JSON.stringify(made.next), ttlMs, result: made, told: "-" };
    });
    return toArrived((changed as Extract<typeof changed, { result: Step }>).result);
  }
}

/** As it is stored. */
export interface Barrier {
  /** The one that is arrived at now. It only grows, also where a barrier was forgotten and is made anew. */
  readonly generation: number;
  /** The first one since it was made: what was before is not known. */
  readonly first: number;
  readonly count: number;
  /** When each ends, by id, in ms since 1970 by the primaries' clocks. */
  readonly arrivals: Readonly<Record<string, number>>;
}

/** What an arrival makes of a barrier. */
export type Step =
  | { readonly kind: "arrived"; readonly answer: Arrived; readonly next?: Barrier }
  | { readonly kind: "other_count"; readonly count: number }
  | { readonly kind: "unknown_generation" };

/** @param nowMs by the latest of the primaries' clocks, ms since 1970. */
export function arriveAt(stored: Barrier | null, arrival: Arrival, nowMs: number): Step {
  const before = seenAt(stored, arrival, nowMs);
  if (before.kind !== "arrived" || before.answer.released) return before;
  const { id, count, ttlMs } = arrival;
  const { generation } = before.answer;
  const alive = stored ? aliveIn(stored, nowMs) : {};
  // Without a prototype: an id may be `constructor`.
  const arrivals = Object.assign(Object.create(null) as Record<string, number>, alive);
  arrivals[id] = Math.max(arrivals[id] ?? 0, nowMs + ttlMs);
  const arrived = Object.keys(arrivals).length;
  const first = stored?.first ?? generation;
  const isFull = arrived >= count;
  const next = isFull
    ? { generation: generation + 1, first, count, arrivals: {} }
    : { generation, first, count, arrivals };
  return { kind: "arrived", answer: { generation, arrived, released: isFull }, next };
}

/** How it stands for those who arrived at a generation; nothing is changed. */
function seenAt(stored: Barrier | null, { generation, count }: Omit<Arrival, "id">, nowMs: number): Step {
  if (!stored) {
    if (generation !== undefined) return { kind: "unknown_generation" };
    // So it is above all that there were before, where it was forgotten.
    return { kind: "arrived", answer: { generation: Math.floor(nowMs), arrived: 0, released: false } };
  }
  if (generation !== undefined) {
    if (generation < stored.first || generation > stored.generation) return { kind: "unknown_generation" };
    if (generation < stored.generation)
      return { kind: "arrived", answer: { generation, arrived: count, released: true } };
  }
  const arrived = Object.keys(aliveIn(stored, nowMs)).length;
  if (arrived > 0 && stored.count !== count) return { kind: "other_count", count: stored.count };
  return { kind: "arrived", answer: { generation: stored.generation, arrived, released: false } };
}

function aliveIn({ arrivals }: Barrier, nowMs: number): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(arrivals).filter(([, endsMs]) => endsMs > nowMs));
}

function toArrived(step: Step): Arrived {
  switch (step.kind) {
    case "arrived":
      return step.answer;
    case "other_count":
      throw barrierMismatch(step.count);
    case "unknown_generation":
      throw noGeneration();
  }
}

function barrierIn(stored: { readonly json: string | null } | null): Barrier | null {
  return stored?.json == null ? null : (JSON.parse(stored.json) as Barrier);
}

/** No majority has answered, or not in time. */
const UNANSWERED: readonly ErrorCode[] = ["no_quorum", "contended", "outcome_unknown"];

/** How long a barrier is known at which nobody arrives any more, ms. */
export const REMEMBERED_MS = 86_400_000;
