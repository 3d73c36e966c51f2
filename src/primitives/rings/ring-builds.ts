import type { Ring } from "../../algorithms/ring.js";
import { atOnce } from "../../algorithms/steps.js";
import { CoordinationError } from "../../errors.js";
import { tooManyPoints } from "../members/member-failures.js";
import type { TimeSlices } from "./time-slices.js";

/** A view whose ring may have to be prepared before it can answer. */
interface WithRing {
  readonly ring: Ring;
  /** When the read of the view began. */
  readonly readAtMs: number;
}

/** The preparation of the ring of one service, for all who ask meanwhile. */
interface Build<V> {
  /** The view that they get. Until the build begins, a newer view may replace it. */
  view: V;
  replicas: number;
  readonly done: Promise<V>;
}

/**
 * Prepares the points of rings, in slices between other work, and each ring once for all who ask. Two builds run at a
 * time, one of a small and one of a large ring: so a large ring delays only other large ones, and the memory for builds is
 * bounded. If the members of a service change faster than its ring can be built, only the newest ring waits.
 */
export class RingBuilds<V extends WithRing> {
  readonly #waiting = new Map<string, Build<V>>();
  readonly #underWay = new Map<string, Build<V>>();
  readonly #lanes = { small: Promise.resolve(), large: Promise.resolve() };
  #waitingPoints = 0;

  constructor(private readonly timeSlices: TimeSlices) {}

  /**
   * A view of the service, this or a newer one, whose ring is ready to name so many replicas. Throws `too_many` if the
   * members together have more points than a ring may have, and `overloaded` if too many rings are waiting already.
   */
  async prepared(service: string, view: V, replicas: number): Promise<V> {
    const { ring } = view;
    if (ring.isPrepared(replicas)) return view;
    if (ring.pointCount > RING_POINTS_MAX) throw tooManyPoints(service, ring.pointCount, RING_POINTS_MAX);
    if (ring.pointCount <= AT_ONCE_POINTS_MAX) {
      atOnce(ring.prepare(replicas));
      return view;
    }
    const underWay = this.#underWay.get(service);
    if (underWay?.view.ring === ring && underWay.replicas >= replicas) {
      await underWay.done;
      return view;
    }
    const waiting = this.#waiting.get(service);
    if (!waiting || laneOf(waiting.view.ring) !== laneOf(ring))
      return this.#begin(service, view, replicas).done;
    if (view.readAtMs >= waiting.view.readAtMs) {
      this.#waitingPoints += ring.pointCount - waiting.view.ring.pointCount;
      waiting.view = view;
    }
    waiting.replicas = Math.max(waiting.replicas, replicas);
    return waiting.done;
  }

  #begin(service: string, view: V, replicas: number): Build<V> {
    const { pointCount } = view.ring;
    if (this.#waitingPoints + pointCount > WAITING_POINTS_MAX) {
      throw new CoordinationError(
        "overloaded",
        "Too many rings are waiting to be built in this instance. Try again after retryAfterMs.",
        { help: { retryAfterMs: RETRY_AFTER_MS } },
      );
    }
    const lane = laneOf(view.ring);
    const done = this.#lanes[lane].then(() => this.#build(service, build));
    const build: Build<V> = { view, replicas, done };
    // Without the view: an idle lane would keep its ring from being given back.
    this.#lanes[lane] = done.then(
      () => {},
      () => {},
    );
    this.#waiting.set(service, build);
    this.#waitingPoints += pointCount;
    return build;
  }

  async #build(service: string, build: Build<V>): Promise<V> {
    const { view, replicas } = build;
    if (this.#waiting.get(service) === build) this.#waiting.delete(service);
    this.#waitingPoints -= view.ring.pointCount;
    this.#underWay.set(service, build);
    try {
      const steps = view.ring.prepare(replicas);
      do await this.timeSlices.take();
      while (!steps.next().done);
      return view;
    } finally {
      if (this.#underWay.get(service) === build) this.#underWay.delete(service);
    }
  }
}

function laneOf({ pointCount }: Ring): "small" | "large" {
  return pointCount <= SMALL_POINTS_MAX ? "small" : "large";
}

/** 16,384 members of weight 1, or 64 of 256: about a second to build, and 80 MB. */
export const RING_POINTS_MAX = 4_194_304;
/** Built at once, without slices: half a millisecond. */
const AT_ONCE_POINTS_MAX = 4_096;
/** Rings up to this size do not wait for larger ones: 1,024 members of weight 1, some 50 ms. */
const SMALL_POINTS_MAX = 262_144;
/** Some five seconds of work: whoever asks later would wait too long. */
const WAITING_POINTS_MAX = 8 * RING_POINTS_MAX;
const RETRY_AFTER_MS = 2_000;
