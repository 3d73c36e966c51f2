import { Barriers } from "./barriers.js";
import { Counters } from "./counters.js";
import { type LeadOptions, lead, observe, proclaim } from "./elections.js";
import { termKind } from "./kinds.js";
import { Latches } from "./latches.js";
import type { Lease } from "./lease.js";
import type { QuorateOptions } from "./quorate.js";
import { Registers } from "./registers.js";
import { type Renewal, renewInLoop } from "./renewal.js";
import { Transactions } from "./transactions.js";
import { type CallOptions, Transport } from "./transport.js";
import type { Election, Term } from "./types.js";
import { systemWorld, type World } from "./world.js";

/**
 * A client of what Quorate decides by consensus: without leases, and whatever clocks do.
 *
 * @example
 * const { registers } = new Consensus({ urls: ["http://127.0.0.1:8080"] });
 * await registers.change<number>("deployments", (count = 0) => count + 1);
 */
export class Consensus {
  readonly registers: Registers;
  readonly counters: Counters;
  readonly barriers: Barriers;
  readonly latches: Latches;
  /** Across services: two-phase commit. */
  readonly transactions: Transactions;
  readonly #transport: Transport;
  readonly #renewal: Renewal;

  /** `world`: time, chance and the network, for tests. */
  constructor({ fetch, renewal, ...deployment }: QuorateOptions, world: World = systemWorld) {
    const transport = new Transport(deployment, fetch ? { ...world, fetch } : world);
    this.#transport = transport;
    this.#renewal = renewal ?? renewInLoop;
    this.registers = new Registers(transport);
    this.counters = new Counters(transport);
    this.barriers = new Barriers(transport);
    this.latches = new Latches(transport);
    this.transactions = new Transactions(transport);
  }

  /** As `lead` of `Quorate`, in an election by consensus: one leader per term. Those have names of their own. */
  lead<T>(name: string, options: LeadOptions<T>): Promise<T | undefined> {
    const kind = { ...termKind(name), body: BY_CONSENSUS };
    return lead(this.#transport, this.#renewal, kind, options);
  }

  /** Replaces the value of the leader. Throws `lease_lost` where the term is over. */
  async proclaim(term: Lease<Term>, value: unknown, options: CallOptions = {}): Promise<void> {
    await proclaim(this.#transport, term, value, options, BY_CONSENSUS);
  }

  /** Who leads: now, and whenever leader, term or value change. It goes on after failures, until the signal aborts. */
  observe(name: string, options: CallOptions = {}): AsyncGenerator<Election, never, void> {
    return observe(this.#transport, name, options, "consensus=true&");
  }
}

const BY_CONSENSUS = { consensus: true };

export type { ArriveOptions, Barriers } from "./barriers.js";
export type { Counters } from "./counters.js";
export type { LeadOptions } from "./elections.js";
export { type ErrorCode, QuorateError, type QuorateErrorOf } from "./errors.js";
export type { Latches } from "./latches.js";
export type { Register, Registers, SetOptions } from "./registers.js";
export type { BeginOptions, Transactions } from "./transactions.js";
export type { Arrived, Election, Latch, Term, Transaction } from "./types.js";
