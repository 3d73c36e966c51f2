import type { Clock, Random } from "../clock.js";
import type { Ids } from "../ids.js";
import type { Primaries } from "../quorum/primaries.js";
import type { Subscriptions } from "../redis/subscriptions.js";
import type { Keys } from "../scripts/keys.js";
import { ConsensusElections } from "./consensus-elections.js";
import { Hooks } from "./hooks/hooks.js";
import type { MemberEvents } from "./members/events/member-events.js";
import type { OnRegisters } from "./namespaced-registers.js";
import { Barriers } from "./registers/barriers.js";
import { Changes } from "./registers/changes.js";
import { Counters } from "./registers/counters.js";
import { RegisterEvents } from "./registers/events/register-events.js";
import { Lags } from "./registers/lags.js";
import { Latches } from "./registers/latches.js";
import { RegisterNews } from "./registers/register-news.js";
import { RegisterPages } from "./registers/register-pages.js";
import { RegisterTransactions } from "./registers/register-transactions.js";
import { Registers } from "./registers/registers.js";
import { RegisterUpkeep } from "./registers/upkeep.js";
import { type LeaseKinds, NamedLeases } from "./transactions/named-leases.js";
import { transactionEvents } from "./transactions/transaction-events.js";
import { TransactionPages } from "./transactions/transaction-pages.js";
import { Transactions } from "./transactions/transactions.js";

/** Registers and all that is made of them, put together. */
export interface AllOnRegisters extends OnRegisters {
  readonly registerUpkeep: RegisterUpkeep;
  readonly lags: Lags;
}

export function allOnRegisters(
  primaries: Primaries,
  subscriptions: Subscriptions,
  memberEvents: MemberEvents,
  { locks, semaphores, elections }: LeaseKinds,
  { keys, clock, random, ids }: { keys: Keys; clock: Clock; random: Random; ids: Ids },
  { ttlMaxMs }: { readonly ttlMaxMs: number },
): AllOnRegisters {
  const news = new RegisterNews(subscriptions, keys, primaries.majority);
  const lags = new Lags(primaries, clock.monotonicMs);
  const missed = (place: number, name: string) => lags.missed(place, name);
  const changes = new Changes(primaries, keys, clock, random, ids, missed);
  const registers = new Registers(changes, primaries, keys, clock, random, news);
  const registerTransactions = new RegisterTransactions(registers, clock, random, ids);
  const registerPages = new RegisterPages(registers, primaries, keys, clock);
  const leases = new NamedLeases({ locks, semaphores, elections }, clock, { ttlMaxMs });
  const transactions = new Transactions(registers, clock, ids, leases, news);
  // A transaction whose time is over is decided, not deleted.
  const undeleted = { state: (name: string) => registers.state(name, true) };
  const transactionPages = new RegisterPages(undeleted, primaries, keys, clock);
  const { majority } = primaries;
  const ends = { transactions, registerTransactions };
  return {
    registers,
    registerPages,
    registerTransactions,
    registerEvents: new RegisterEvents(registers, registerPages, news, majority, clock),
    counters: new Counters(registers),
    barriers: new Barriers(registers),
    latches: new Latches(registers),
    hooks: new Hooks(registers, memberEvents, primaries, keys, ids),
    transactions,
    transactionPages: new TransactionPages(transactionPages, clock),
    transactionEvents: transactionEvents(registers, transactionPages, news, majority, clock),
    consensusElections: new ConsensusElections(registers, primaries, clock, ids, ttlMaxMs),
    registerUpkeep: new RegisterUpkeep(registers, primaries, keys, clock, random, ends, undefined, lags),
    lags,
  };
}
