import { ConcurrencyLimit, type Measured } from "./concurrency-limit.js";
import type { Linked } from "./fifo.js";
import { PATIENCE_MS, type Standing, StandingQueue } from "./standing-queue.js";

/**
 * `urgent` requests, which keep or give back what a client holds, are admitted first. The others alternate: `resumed`
 * requests, which were in flight before and have been waiting for a lease since; `ordinary` ones; and `patient` ones,
 * which declared that they can wait.
 */
export const PRIORITIES = ["urgent", "resumed", "ordinary", "patient"] as const;
export type Priority = (typeof PRIORITIES)[number];

/** The state of a request: in front of the limit, in flight, out of flight while it waits for a lease, or finished. */
export type State = "queued" | "in_flight" | "paused" | "over";

/** The outcome of a request in the queue. */
export type Decided = "admitted" | "shed";

/** What is known of an arriving request. */
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
  /** Called once when the request leaves the queue, unless it was withdrawn. */
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
 * Decides which requests are in flight, which wait and which are refused. Pure: time and measurements are passed in,
 * and nothing happens by itself. `ConcurrencyLimit` finds how much may be in flight; the rest waits here, by priority.
 * Requests are shed by delay, never by count; the count is bounded only because every request takes memory.
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
    /** Maximum number of requests in the queue: beyond it every arrival is refused, since each takes memory. */
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

  /** Whether nothing is in flight and nothing waits. */
  get idle(): boolean {
    return this.#inFlight === 0 && this.#queued === 0;
  }

  /** Whether a request that arrives now is in flight at once. */
  get open(): boolean {
    return this.#queued === 0 && this.#inFlight < this.limit;
  }

  /** A request arrived at `arrivedMs`: it is in flight at once, or queued; null: refused. */
  arrive({ priority, units, patienceMs, arrivedMs }: Arrival, nowMs: number): Ticket | null {
    const ticket = new Ticket(priority, units, arrivedMs, patienceMs);
    if (this.open) return this.#admit(ticket);
    this.#bound = true;
    const standing = priority !== "patient" && this.#queues[priority].refuses(nowMs);
    if (standing || this.#queued >= this.queuedMax) return null;
    this.#enqueue(ticket, nowMs);
    return ticket;
  }

  /** The request is finished, or its client no longer waits for the answer. */
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

  /** The request waits for something that uses no resources of this instance. */
  pause(ticket: Ticket, nowMs: number): void {
    if (ticket.state !== "in_flight") return;
    ticket.state = "paused";
    this.#inFlight -= ticket.units;
    this.#fill(nowMs);
  }

  /** The request continues, and is never refused. Returns whether it is in flight already. */
  resume(ticket: Ticket, nowMs: number): boolean {
    if (ticket.state !== "paused") return true;
    if (this.open) {
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

  /** Sheds requests whose patience is over. Due every `EXPIRE_MS`; a late call means that this process was paused. */
  expire(nowMs: number): void {
    const awayMs = nowMs - (this.#expiredMs ?? nowMs) - EXPIRE_MS;
    this.#expiredMs = this.#queued > 0 ? nowMs : null;
    // A backlog that built up while nothing was served is no sign of overload.
    if (awayMs > AWAY_MS) for (const priority of PRIORITIES) this.#queues[priority].forgive(awayMs);
    for (const queue of [this.#queues.urgent, this.#queues.ordinary]) {
      const patienceMs = queue.patienceMs(nowMs);
      // All have the same patience, so the first of the queue runs out first.
      for (let one = queue.first; one && nowMs - one.arrivedMs > patienceMs; one = queue.first)
        this.#shed(one, nowMs);
    }
    for (let one = this.#queues.patient.first; one; ) {
      const { after } = one;
      if (isOver(one, nowMs)) this.#shed(one, nowMs);
      one = after;
    }
  }

  /** Takes the measurements of a window of `windowMs` into account. */
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
    if (this.#queues.urgent.length > 0) return this.#queues.urgent;
    for (let tries = 0; tries < SHARES.length; tries++) {
      this.#turn = (this.#turn + 1) % SHARES.length;
      const queue = this.#queues[SHARES[this.#turn] as Priority];
      if (queue.length > 0) return queue;
    }
    return null;
  }
}

function isOver({ priority, arrivedMs, patienceMs }: Ticket, nowMs: number): boolean {
  return nowMs - arrivedMs > (priority === "urgent" ? URGENT_MS : patienceMs);
}

/** How long requests wait in a standing queue: enough to keep the limit filled, and far below what callers notice. */
export const STANDING_MS = 100;
const NEVER: Standing = {
  burstMs: Number.POSITIVE_INFINITY,
  refusedMs: Number.POSITIVE_INFINITY,
  shedMs: Number.POSITIVE_INFINITY,
};
/** A late renewal is better than none: it may be in the queue for longer than other requests. */
const URGENT_MS = 2_000;
/** How often the patience of requests is checked. */
export const EXPIRE_MS = 20;
/** The event loop can be this late in a busy process. */
const AWAY_MS = 100;
/**
 * The order of admission behind urgent requests: a woken crowd, or one that can wait, must not keep others out, nor be
 * kept out by them for ever.
 */
const SHARES: readonly Priority[] = ["resumed", "ordinary", "resumed", "ordinary", "patient"];
