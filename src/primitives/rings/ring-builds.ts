import type { Ring } from "../../algorithms/ring.js";
import { atOnce } from "../../algorithms/steps.js";
import { CoordinationError } from "../../errors.js";
import type { TimeSlices } from "./time-slices.js";

/** Something with a ring that may have to be prepared before it answers. */
interface WithRing {
  readonly ring: Ring;
  /** When the read began that it is of. */
  readonly readAtMs: number;
}

/** Preparing the ring of one service, for all who ask meanwhile. */
interface Build<V> {
  /** What those who ask get. Until the build begins, a newer one may take its place. */
  view: V;
  replicas: number;
  readonly done: Promise<V>;
}

/**
 * Prepares the points of rings, in turns with everything else, and each once for all who ask. Two builds at a time: one
 * of a small ring and one of a large one, so that a large one delays others that are large, and the memory that builds
 * take is bounded. Of a service whose members change faster than its ring can be built, only the newest ring waits.
 */
export class RingBuilds<V extends WithRing> {
  readonly #waiting = new Map<string, Build<V>>();
  readonly #underWay = new Map<string, Build<V>>();
  readonly #lanes = { small: Promise.resolve(), large: Promise.resolve() };
  #waitingPoints = 0;

  constructor(private readonly timeSlices: TimeSlices) {}

  /**
   * A view of the service, this one or a newer, whose ring answers for so many replicas at once. Throws `too_many` where
   * the members have more points together than a ring may have, and `overloaded` where too many rings wait already.
   */
  async prepared(service: string, view: V, replicas: number): Promise<V> {
    const { ring } = view;
    if (ring.isPrepared(replicas)) return view;
    if (ring.pointCount > RING_POINTS_MAX) throw tooManyPoints(service, ring.pointCount);
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
        "Too many rings wait to be built in this instance. Try again after retryAfterMs.",
        { help: { retryAfterMs: RETRY_AFTER_MS } },
      );
    }
    const lane = laneOf(view.ring);
    const done = this.#lanes[lane].then(() => this.#build(service, build));
    const build: Build<V> = { view, replicas, done };
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

function tooManyPoints(service: string, points: number): CoordinationError {
  return new CoordinationError(
    "too_many",
    `The members of service ${service} have ${points} points in its ring, 256 for each 1.0 of weight, and a ring may have ${RING_POINTS_MAX}. Only the ratio of weights counts: register them with lower ones.`,
  );
}

/** 16,384 members of weight 1, or 64 of 256: about a second to build, and 80 MB. */
export const RING_POINTS_MAX = 4_194_304;
/** What is built before anybody else gets a turn: half a millisecond. */
const AT_ONCE_POINTS_MAX = 4_096;
/** What does not wait for large ones: 1,024 members of weight 1, some 50 ms. */
const SMALL_POINTS_MAX = 262_144;
/** Some five seconds of work: whoever came later would wait too long to be of use. */
const WAITING_POINTS_MAX = 8 * RING_POINTS_MAX;
const RETRY_AFTER_MS = 2_000;
