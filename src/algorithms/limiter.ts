import { ConcurrencyLimit, type Measured } from "./concurrency-limit.js";
import { Fifo, type Linked } from "./fifo.js";

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
 * itself. How much may be in flight is `ConcurrencyLimit`'s to find; the rest waits here, by priority.
 *
 * It sheds by delay, never by count, as CoDel does (Nichols and Jacobson, "Controlling Queue Delay", 2012; for requests,
 * Maurer, "Fail at Scale", 2015): a queue that empties again was a burst, and whoever is in it has all of its patience.
 * One that has stood for `BURST_MS` will not go away by waiting: then whatever would wait for more than `STANDING_MS` is
 * refused when it comes, which costs least, and what is let in is answered soon.
 */
export class Limiter {
  readonly #limit = new ConcurrencyLimit();
  readonly #queues = {
    resumed: new Queue(),
    urgent: new Queue(),
    ordinary: new Queue(),
    patient: new Queue(),
  };
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

  /** Refuses those whose patience is over. Every few hundredths of a second. */
  expire(nowMs: number): void {
    // Of these all have the same patience, so that the first is over first.
    for (const queue of [this.#queues.urgent, this.#queues.ordinary])
      for (let one = queue.first; one && isOver(one, nowMs); one = queue.first) this.#shed(one, nowMs);
    let one = this.#queues.patient.first;
    while (one) {
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
    this.#queues[ticket.priority].remove(ticket);
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

  #next(): Queue | null {
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

/** Those of one priority, and how long they wait. */
class Queue extends Fifo<Ticket> {
  /** Since when it has not been empty, nor let anybody through who had hardly waited. */
  #standsSinceMs = Number.POSITIVE_INFINITY;
  #taken = 0;
  /** How many leave it per ms. */
  #rate = 0;

  add(ticket: Ticket, nowMs: number): void {
    if (this.length === 0) this.#standsSinceMs = nowMs;
    this.push(ticket);
  }

  /** The first one, which is let in. */
  take(nowMs: number): Ticket | null {
    const ticket = this.first;
    if (!ticket) return null;
    this.remove(ticket);
    this.#taken += 1;
    if (nowMs - ticket.arrivedMs <= SHORT_MS) this.#standsSinceMs = nowMs;
    return ticket;
  }

  /** Whether whoever comes now is better told at once that its turn will not come in time. */
  refuses(nowMs: number): boolean {
    if (this.length === 0 || nowMs - this.#standsSinceMs <= BURST_MS) return false;
    return this.length > this.#rate * STANDING_MS;
  }

  measure(windowMs: number): void {
    this.#rate += (this.#taken / windowMs - this.#rate) * RATE_GAIN;
    this.#taken = 0;
  }
}

function isOver({ arrivedMs, patienceMs }: Ticket, nowMs: number): boolean {
  return nowMs - arrivedMs > patienceMs;
}

/** How long a request that says nothing of waiting may be in the queue: what a caller takes for a slow answer. */
export const PATIENCE_MS = 500;
/** A queue that has stood for so long is no burst: one that was served within its patience would be gone. */
const BURST_MS = PATIENCE_MS;
/** How long is waited in a queue that stands: enough to keep the limit filled, and far below what callers notice. */
export const STANDING_MS = 100;
/** Who waited no longer than that met no standing queue. */
const SHORT_MS = 20;
const RATE_GAIN = 0.5;
/** Of so many that are let in one is `patient`, where there are others. */
const PATIENT_EVERY = 5;
