import type { Clock, Random } from "./clock.js";
import type { Config } from "./config.js";
import type { Ids } from "./ids.js";
import { ConsensusElections } from "./primitives/consensus-elections.js";
import type { OnRegisters } from "./primitives/namespaced-registers.js";
import { Barriers } from "./primitives/registers/barriers.js";
import { Changes } from "./primitives/registers/changes.js";
import { Counters } from "./primitives/registers/counters.js";
import { Latches } from "./primitives/registers/latches.js";
import { RegisterPages } from "./primitives/registers/register-pages.js";
import { RegisterTransactions } from "./primitives/registers/register-transactions.js";
import { Registers } from "./primitives/registers/registers.js";
import { RegisterUpkeep } from "./primitives/registers/upkeep.js";
import { Transactions } from "./primitives/transactions/transactions.js";
import type { Primaries } from "./quorum/primaries.js";
import type { Keys } from "./scripts/keys.js";

/** Registers, and what is built on them. */
export function createOnRegisters(
  primaries: Primaries,
  keys: Keys,
  { clock, random, ids }: { readonly clock: Clock; readonly random: Random; readonly ids: Ids },
  { ttlMaxMs }: Pick<Config, "ttlMaxMs">,
): Omit<OnRegisters, "hooks"> & { readonly registerUpkeep: RegisterUpkeep } {
  const changes = new Changes(primaries, keys, clock, random, ids);
  const registers = new Registers(changes, primaries, keys, clock, random);
  const registerTransactions = new RegisterTransactions(registers, clock, random, ids);
  const transactions = new Transactions(registers, clock, ids);
  const ends = { transactions, registerTransactions };
  return {
    registers,
    registerTransactions,
    registerPages: new RegisterPages(registers, primaries, keys, clock),
    counters: new Counters(registers),
    barriers: new Barriers(registers),
    latches: new Latches(registers),
    transactions,
    consensusElections: new ConsensusElections(registers, primaries, clock, ids, ttlMaxMs),
    registerUpkeep: new RegisterUpkeep(registers, primaries, keys, clock, random, ends),
  };
}
