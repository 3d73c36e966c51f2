import type { IncomingMessage, ServerResponse } from "node:http";
import type { Context } from "hono";
import { type Arrival, type Decided, EXPIRE_MS, Limiter, type Ticket } from "../../algorithms/limiter.js";
import { PATIENCE_MS } from "../../algorithms/standing-queue.js";
import type { Clock, Random } from "../../clock.js";
import type { Config } from "../../config.js";
import type { CoordinationError } from "../../errors.js";
import type { InFlight } from "../../primitives/leases/lease-terms.js";
import { whenThere } from "../when-there.js";
import { type Arrived, arrivalOf, incomingOf, isBodyHere, mayWait, waitMsOf } from "./arrivals.js";
import type { Gate } from "./gate.js";
import { overloads } from "./overloads.js";
import { PrimaryDelays } from "./primary-delays.js";

/** Is told what admission decides. */
export interface AdmissionObserver {
  shed(priority: Arrival["priority"]): void;
  /** A request that had to queue was admitted. */
  queued(priority: Arrival["priority"], ms: number): void;
  /** The client of a request disconnected before it was admitted. */
  abandoned(): void;
}

/**
 * Limits what is in flight at this instance: the gate that requests pass, and the measurement of how late the instance is.
 * The `Limiter` decides; here are sockets, time and bodies. Probes, metrics and the documentation are always answered; all else is
 * limited, however its path is spelled.
 */
export class Admission {
  readonly limiter: Limiter;
  readonly #delays: PrimaryDelays;
  readonly #overloads: readonly CoordinationError[];
  #watching = false;
  #shedSinceLogged = 0;
  #loggedMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
    { connectionsMax }: Pick<Config, "connectionsMax">,
    addresses: readonly string[],
    private readonly observer: AdmissionObserver,
    private readonly log: { warn(fields: object, message: string): void },
  ) {
    // One per connection: only clients that send the next request before they have the answer exceed it.
    this.limiter = new Limiter(connectionsMax);
    this.#delays = new PrimaryDelays(addresses);
    this.#overloads = overloads(RETRY_AFTER_MS);
  }

  /** Admits a request, queues it, or refuses it with `overloaded`. */
  readonly gate: Gate = (incoming, outgoing) => {
    const arrived = arrivalOf(incoming);
    if (!arrived) return null;
    this.#watch();
    const arrivedMs = this.clock.monotonicMs();
    const { limiter } = this;
    // Whether the client can wait is said in the body, and matters only if it has to.
    if (!limiter.open && arrived.priority === "ordinary" && mayWait(incoming))
      return this.#afterBody(incoming, outgoing, arrived, arrivedMs);
    const { priority, units } = arrived;
    return this.#arrive(incoming, outgoing, { priority, units, arrivedMs, patienceMs: PATIENCE_MS });
  };

  /** A primary has answered, or has not answered in time. */
  called(address: string, ms: number): void {
    this.#delays.add(address, ms);
  }

  async #afterBody(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    arrived: Arrived,
    arrivedMs: number,
  ): Promise<CoordinationError | null> {
    // Most bodies arrive along with the headers, and are here after this.
    await null;
    const waitMs = await waitMsOf(incoming, outgoing);
    if (waitMs === null) return this.#gone();
    const patient = waitMs > PATIENCE_MS;
    return this.#arrive(incoming, outgoing, {
      priority: patient ? "patient" : arrived.priority,
      units: arrived.units,
      arrivedMs,
      patienceMs: patient ? waitMs : PATIENCE_MS,
    });
  }

  #arrive(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    arrival: Arrival,
  ): CoordinationError | null | Promise<CoordinationError | null> {
    const { limiter, clock } = this;
    const ticket = limiter.arrive(arrival, clock.monotonicMs());
    if (!ticket) return this.#shed(arrival.priority);
    const admitted = new Admitted(ticket, limiter, clock);
    (incoming as Marked)[ADMITTED] = admitted;
    if (ticket.state === "in_flight") {
      outgoing.once("close", () => admitted.close());
      return null;
    }
    return new Promise((resolve) => {
      outgoing.once("close", () => {
        const queued = ticket.state === "queued" && !admitted.entered;
        admitted.close();
        if (queued) resolve(this.#gone());
      });
      ticket.decided = (how: Decided, ms: number) => {
        if (how === "shed") return resolve(this.#shed(arrival.priority));
        admitted.queuedMs = clock.monotonicMs() - arrival.arrivedMs;
        this.observer.queued(arrival.priority, ms);
        resolve(null);
      };
    });
  }

  #shed(priority: Arrival["priority"]): CoordinationError {
    this.observer.shed(priority);
    this.#shedSinceLogged += 1;
    return this.#overload();
  }

  #gone(): CoordinationError {
    this.observer.abandoned();
    return this.#overload();
  }

  #overload(): CoordinationError {
    const which = Math.floor(this.random() * this.#overloads.length);
    return this.#overloads[which] as CoordinationError;
  }

  /** While anything is in flight: measures how late the event loop is, expires waiting requests, adjusts the limit. */
  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    const { clock, limiter } = this;
    let [lateMs, ticks, sinceMs] = [0, 0, clock.monotonicMs()];
    const next = () => {
      const dueMs = clock.monotonicMs() + EXPIRE_MS;
      clock.after(EXPIRE_MS, () => {
        const nowMs = clock.monotonicMs();
        lateMs += nowMs - dueMs;
        ticks += 1;
        limiter.expire(nowMs);
        if (nowMs - sinceMs >= WINDOW_MS) {
          const measured = { loopDelayMs: lateMs / ticks, primariesMs: this.#delays.take() };
          limiter.adjust(measured, nowMs - sinceMs, nowMs);
          [lateMs, ticks, sinceMs] = [0, 0, nowMs];
          this.#tell(nowMs);
        }
        if (limiter.idle) this.#watching = false;
        else next();
      });
    };
    next();
  }

  /** One log line for many refusals. */
  #tell(nowMs: number): void {
    if (this.#shedSinceLogged === 0 || nowMs - this.#loggedMs < LOG_INTERVAL_MS) return;
    const { inFlight, limit } = this.limiter;
    this.log.warn({ refused: this.#shedSinceLogged, inFlight, limit }, "overloaded: requests were refused");
    this.#shedSinceLogged = 0;
    this.#loggedMs = nowMs;
  }
}

/** One request's share of what may be in flight. */
class Admitted implements InFlight {
  queuedMs = 0;
  entered = false;
  /** Its client disconnected before it was begun. */
  gone = false;

  constructor(
    private readonly ticket: Ticket,
    private readonly limiter: Limiter,
    private readonly clock: Clock,
  ) {}

  pause(): void {
    this.limiter.pause(this.ticket, this.clock.monotonicMs());
  }

  resume(): Promise<void> {
    if (this.limiter.resume(this.ticket, this.clock.monotonicMs())) return AT_ONCE;
    return new Promise((resolve) => {
      this.ticket.decided = () => resolve();
    });
  }

  /** Its answer is made. */
  leave(): void {
    this.limiter.leave(this.ticket, this.clock.monotonicMs());
  }

  /** Its answer was sent, or its client disconnected. A request that was begun goes on until it has an answer. */
  close(): void {
    if (this.entered) return;
    this.gone = true;
    this.leave();
  }
}

/**
 * Answers a request that was admitted; null: its client has disconnected since. The request is in flight until its answer
 * is made, not until it is sent: a client that reads slowly, or whose body arrives slowly, takes up no place.
 */
export function inFlight<Body, A>(
  c: Context,
  readBody: () => Promise<Body> | Body,
  answer: (body: Body) => Promise<A> | A,
): Promise<A | null> | A | null {
  const incoming: Marked | undefined = incomingOf(c);
  const admitted = incoming?.[ADMITTED];
  if (!incoming || !admitted) return whenThere(readBody(), answer);
  admitted.entered = true;
  if (!isBodyHere(incoming)) return afterBody(incoming, admitted, readBody, answer);
  let answered: Promise<A | null> | A | null = null;
  try {
    answered = whenThere(readBody(), (body) => (incoming.socket.destroyed ? null : answer(body)));
    return answered instanceof Promise ? left(admitted, answered) : answered;
  } finally {
    if (!(answered instanceof Promise)) admitted.leave();
  }
}

/** The same where the body has not arrived. */
async function afterBody<Body, A>(
  incoming: Marked,
  admitted: Admitted,
  readBody: () => Promise<Body> | Body,
  answer: (body: Body) => Promise<A> | A,
): Promise<A | null> {
  try {
    // Most bodies arrive along with the headers, and are here after this.
    await null;
    const slow = !isBodyHere(incoming);
    if (slow) admitted.pause();
    const read = readBody();
    const body = read instanceof Promise ? await read : read;
    if (slow) await admitted.resume();
    return incoming.socket.destroyed ? null : await answer(body);
  } finally {
    admitted.leave();
  }
}

/** The answer, once it is made. */
async function left<A>(admitted: Admitted, answered: Promise<A>): Promise<A> {
  try {
    return await answered;
  } finally {
    admitted.leave();
  }
}

/** The request's share of what may be in flight. */
export function inFlightOf(c: Context): InFlight | undefined {
  return (incomingOf(c) as Marked | undefined)?.[ADMITTED];
}

const ADMITTED = Symbol("admitted");
type Marked = IncomingMessage & { [ADMITTED]?: Admitted };
const AT_ONCE = Promise.resolve();
/** About as long as some round trips to the primaries take under load. */
const WINDOW_MS = 100;
const LOG_INTERVAL_MS = 10_000;
/** Spread, so that clients that were refused together do not come back together. */
const RETRY_AFTER_MS = [1_000, 3_000] as const;
