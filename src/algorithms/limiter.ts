import { ConcurrencyLimit, type Measured } from "./concurrency-limit.js";
import type { Linked } from "./fifo.js";
import { PATIENCE_MS, type Standing, StandingQueue } from "./standing-queue.js";

/**
 * Who is let in first: `resumed`, which was in flight before and has been waiting for a lease since; `urgent`, which keeps
 * or gives back what somebody has; `ordinary`; and `patient`, which said itself that it can wait.
 */
export const PRIORITIES = ["resumed", "urgent", "ordinary", "patient"] as const;
export type Priority = (typeof PRIORITIES)[number];

/** Where a request is: before the limit, in flight, out of flight for as long as it waits for a lease, or gone. */
export type State = "queued" | "in_flight" | "paused" | "over";

/** What came of a request in the queue. */
export type Decided = "admitted" | "shed";

/** What is known of a request that comes. */
export interface Arrival {
  readonly priority: Exclude<Priority, "resumed">;
  /** How much it counts while it is in flight. */
  readonly units: number;
  readonly arrivedMs: number;
  /** How long it may be in the queue, ms: `PATIENCE_MS`, or longer where it is `patient`. */
  readonly patienceMs: number;
}

/** One request on its way through the limiter. */
export class Ticket implements Linked<Ticket> {
  before: Ticket | null = null;
  after: Ticket | null = null;
  state: State = "queued";
  /** Told once when it leaves the queue, unless it was withdrawn. */
  decided: (how: Decided, queuedMs: number) => void = () => {};

  constructor(
    public priority: Priority,
    /** How much it counts while it is in flight. */
    readonly units: number,
    public arrivedMs: number,
    /** How long it may be in the queue, ms. */
    readonly patienceMs: number,
  ) {}
}

/**
 * What is in flight, what waits to be, and what is refused. Pure: time and measurements come in, and nothing happens by
 * itself. How much may be in flight is `ConcurrencyLimit`'s to find; the rest waits here, by priority. It is shed by delay,
 * never by count, for which there is a bound only since all takes memory.
 */
export class Limiter {
  readonly #limit = new ConcurrencyLimit();
  readonly #queues: Readonly<Record<Priority, StandingQueue<Ticket>>> = {
    resumed: new StandingQueue(NEVER),
    urgent: new StandingQueue({ burstMs: URGENT_MS, refusedMs: 2 * STANDING_MS, shedMs: PATIENCE_MS }),
    ordinary: new StandingQueue({
      burstMs: PATIENCE_MS,
      refusedMs: STANDING_MS,
      shedMs: 2 * STANDING_MS,
    }),
    patient: new StandingQueue(NEVER),
  };
  #expiredMs: number | null = null;
  #inFlight = 0;
  #queued = 0;
  #bound = false;
  #turn = 0;

  constructor(
    /** Requests in the queue at most: beyond it whatever comes is refused, since each takes memory. */
    private readonly queuedMax: number,
  ) {}

  get inFlight(): number {
    return this.#inFlight;
  }

  get limit(): number {
    return this.#limit.value;
  }

  queued(priority: Priority): number {
    return this.#queues[priority].length;
  }

  /** Nothing is in flight, and nothing waits. */
  get idle(): boolean {
    return this.#inFlight === 0 && this.#queued === 0;
  }

  /** Whether a request that comes now is in flight at once. */
  get open(): boolean {
    return this.#queued === 0 && this.#inFlight < this.limit;
  }

  /** A request has come, at `arrivedMs`: in flight at once, or queued, or null: refused. */
  arrive({ priority, units, patienceMs, arrivedMs }: Arrival, nowMs: number): Ticket | null {
    const ticket = new Ticket(priority, units, arrivedMs, patienceMs);
    if (this.open) return this.#admit(ticket);
    this.#bound = true;
    const standing = priority !== "patient" && this.#queues[priority].refuses(nowMs);
    if (standing || this.#queued >= this.queuedMax) return null;
    this.#enqueue(ticket, nowMs);
    return ticket;
  }

  /** It is over, or nobody waits for its answer any more. */
  leave(ticket: Ticket, nowMs: number): void {
    const { state } = ticket;
    ticket.state = "over";
    if (state === "queued") {
      this.#queues[ticket.priority].remove(ticket);
      this.#queued -= 1;
    } else if (state === "in_flight") {
      this.#inFlight -= ticket.units;
      this.#fill(nowMs);
    }
  }

  /** It waits for something that takes nothing of this instance. */
  pause(ticket: Ticket, nowMs: number): void {
    if (ticket.state !== "in_flight") return;
    ticket.state = "paused";
    this.#inFlight -= ticket.units;
    this.#fill(nowMs);
  }

  /** It goes on: before all others, and never refused. Whether it is in flight already. */
  resume(ticket: Ticket, nowMs: number): boolean {
    if (ticket.state !== "paused") return true;
    if (this.#queues.resumed.length === 0 && this.#inFlight < this.limit) {
      this.#admit(ticket);
      return true;
    }
    this.#bound = true;
    ticket.state = "queued";
    ticket.priority = "resumed";
    ticket.arrivedMs = nowMs;
    this.#enqueue(ticket, nowMs);
    return false;
  }

  /** Refuses those whose patience is over. Every `EXPIRE_MS`; where it comes later, it was this process that was away. */
  expire(nowMs: number): void {
    const awayMs = nowMs - (this.#expiredMs ?? nowMs) - EXPIRE_MS;
    this.#expiredMs = this.#queued > 0 ? nowMs : null;
    // What could not be served while nothing was is no sign of more load than can be.
    if (awayMs > AWAY_MS) for (const priority of PRIORITIES) this.#queues[priority].forgive(awayMs);
    for (const queue of [this.#queues.urgent, this.#queues.ordinary]) {
      const patienceMs = queue.patienceMs(nowMs);
      // All have the same patience, so that the first is over first.
      for (let one = queue.first; one && nowMs - one.arrivedMs > patienceMs; one = queue.first)
        this.#shed(one, nowMs);
    }
    for (let one = this.#queues.patient.first; one; ) {
      const { after } = one;
      if (isOver(one, nowMs)) this.#shed(one, nowMs);
      one = after;
    }
  }

  /** Takes what a window of `windowMs` has shown into account. */
  adjust(measured: Omit<Measured, "binding">, windowMs: number, nowMs: number): void {
    this.#limit.adjust({ ...measured, binding: this.#bound });
    this.#bound = this.#queued > 0;
    for (const priority of PRIORITIES) this.#queues[priority].measure(windowMs);
    this.#fill(nowMs);
  }

  #admit(ticket: Ticket): Ticket {
    ticket.state = "in_flight";
    this.#inFlight += ticket.units;
    return ticket;
  }

  #enqueue(ticket: Ticket, nowMs: number): void {
    this.#queues[ticket.priority].add(ticket, nowMs);
    this.#queued += 1;
  }

  #shed(ticket: Ticket, nowMs: number): void {
    this.#queues[ticket.priority].shed(ticket, nowMs);
    this.#queued -= 1;
    ticket.state = "over";
    ticket.decided("shed", nowMs - ticket.arrivedMs);
  }

  #fill(nowMs: number): void {
    while (this.#inFlight < this.limit) {
      const queue = this.#next();
      const ticket = queue?.take(nowMs);
      if (!ticket) return;
      this.#queued -= 1;
      const queuedMs = nowMs - ticket.arrivedMs;
      if (ticket.priority !== "resumed" && isOver(ticket, nowMs)) {
        ticket.state = "over";
        ticket.decided("shed", queuedMs);
      } else {
        this.#admit(ticket);
        ticket.decided("admitted", queuedMs);
      }
    }
  }

  #next(): StandingQueue<Ticket> | null {
    const { resumed, urgent, ordinary, patient } = this.#queues;
    if (resumed.length > 0) return resumed;
    if (urgent.length > 0) return urgent;
    if (ordinary.length === 0) return patient.length > 0 ? patient : null;
    if (patient.length === 0) return ordinary;
    // A crowd that can wait must not keep others out, nor be kept out by them for ever.
    this.#turn = (this.#turn + 1) % PATIENT_EVERY;
    return this.#turn === 0 ? patient : ordinary;
  }
}

function isOver({ priority, arrivedMs, patienceMs }: Ticket, nowMs: number): boolean {
  return nowMs - arrivedMs > (priority === "urgent" ? URGENT_MS : patienceMs);
}

/** How long is waited in a queue that stands: enough to keep the limit filled, and far below what callers notice. */
export const STANDING_MS = 100;
const NEVER: Standing = {
  burstMs: Number.POSITIVE_INFINITY,
  refusedMs: Number.POSITIVE_INFINITY,
  shedMs: Number.POSITIVE_INFINITY,
};
/** A renewal that comes late is better than none: it is in the queue for longer than others may be. */
const URGENT_MS = 2_000;
/** How often the patience of requests is looked after. */
export const EXPIRE_MS = 20;
/** The event loop is this late in a busy process. */
const AWAY_MS = 100;
/** Of so many that are let in one is `patient`, where there are others. */
const PATIENT_EVERY = 5;
