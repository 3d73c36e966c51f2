import type { Arrival, Limiter, Ticket } from "../../src/algorithms/limiter.js";
import { PATIENCE_MS } from "../../src/algorithms/standing-queue.js";

/** What the plant needs of a limiter, so that a wrong one can take its place. */
export type Limiting = Pick<
  Limiter,
  "arrive" | "leave" | "expire" | "adjust" | "idle" | "limit" | "inFlight"
>;

/** One request that was answered. */
export interface Answered {
  readonly priority: Arrival["priority"];
  readonly arrivedMs: number;
  readonly latencyMs: number;
}

/**
 * An instance and its primaries as a queue in virtual time, in steps of 1 ms: what is in flight is served in its order,
 * so many a ms, and none sooner than the round trip takes.
 */
export class Plant {
  nowMs = 0;
  readonly answered: Answered[] = [];
  readonly shed: { readonly priority: Arrival["priority"]; readonly atMs: number }[] = [];
  readonly #inFlight: { readonly ticket: Ticket; readonly arrival: Arrival; readonly sinceMs: number }[] = [];
  #budget = 0;
  #delaysMs: number[] = [];
  #adjustedMs = 0;

  constructor(
    readonly limiter: Limiting,
    /** Requests served a ms; 0: a stall. */
    public rate: number,
    private readonly roundTripMs = 1,
  ) {}

  /** So many come at this moment. */
  arrive(count: number, priority: Arrival["priority"] = "ordinary", patienceMs = PATIENCE_MS): void {
    const arrival = { priority, units: 1, arrivedMs: this.nowMs, patienceMs };
    for (let i = 0; i < count; i++) {
      const ticket = this.limiter.arrive(arrival, this.nowMs);
      if (!ticket) this.shed.push({ priority, atMs: this.nowMs });
      else if (ticket.state === "in_flight") this.#begin(ticket, arrival);
      else
        ticket.decided = (how) => {
          if (how === "admitted") this.#begin(ticket, arrival);
          else this.shed.push({ priority, atMs: this.nowMs });
        };
    }
  }

  /** So many come every ms, for so long. */
  offer(perMs: number, ms: number, priority: Arrival["priority"] = "ordinary", patienceMs?: number): void {
    this.run(ms, (at) => {
      this.arrive(Math.floor(at * perMs) - Math.floor((at - 1) * perMs), priority, patienceMs);
    });
  }

  run(ms: number, each: (at: number) => void = () => {}): void {
    for (let at = 1; at <= ms; at++) {
      this.nowMs += 1;
      each(at);
      this.#serve();
      if (this.nowMs % 20 === 0) this.limiter.expire(this.nowMs);
      if (this.nowMs - this.#adjustedMs >= 100) this.#adjust();
    }
  }

  /** Until nothing is left; ms. */
  drain(): number {
    const fromMs = this.nowMs;
    while (!this.limiter.idle) this.run(1);
    return this.nowMs - fromMs;
  }

  /** Answers of what came from then on, a ms. */
  goodput(fromMs: number, toMs: number): number {
    const inTime = this.answered.filter(
      ({ arrivedMs, latencyMs }) => arrivedMs + latencyMs > fromMs && arrivedMs + latencyMs <= toMs,
    );
    return inTime.length / (toMs - fromMs);
  }

  latencyMs(quantile: number): number {
    const sorted = this.answered.map(({ latencyMs }) => latencyMs).sort((one, other) => one - other);
    return sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))] ?? 0;
  }

  #begin(ticket: Ticket, arrival: Arrival): void {
    this.#inFlight.push({ ticket, arrival, sinceMs: this.nowMs });
  }

  #serve(): void {
    // What was not needed is not there later, but for the fraction of a request.
    this.#budget = Math.min(this.#budget, 1) + this.rate;
    for (let first = this.#inFlight[0]; this.#budget >= 1 && first; first = this.#inFlight[0]) {
      const delayMs = this.nowMs - first.sinceMs;
      if (delayMs < this.roundTripMs) return;
      this.#inFlight.shift();
      this.#budget -= 1;
      this.#delaysMs.push(delayMs);
      const { priority, arrivedMs } = first.arrival;
      this.answered.push({ priority, arrivedMs, latencyMs: this.nowMs - arrivedMs });
      this.limiter.leave(first.ticket, this.nowMs);
    }
  }

  #adjust(): void {
    const primariesMs =
      this.#delaysMs.length === 0
        ? null
        : this.#delaysMs.reduce((sum, ms) => sum + ms, 0) / this.#delaysMs.length;
    this.#delaysMs = [];
    this.limiter.adjust({ loopDelayMs: 1, primariesMs }, this.nowMs - this.#adjustedMs, this.nowMs);
    this.#adjustedMs = this.nowMs;
  }
}
