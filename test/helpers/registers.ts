import { systemClock } from "../../src/clock.js";
import { RegisterUpkeep } from "../../src/primitives/registers/upkeep.js";
import { Keys } from "../../src/scripts/keys.js";
import { command } from "./deployment.js";
import type { Pair } from "./pair.js";

/** Removes what was deleted at once where it is run, not only after a minute. */
export function upkeepAtOnce(pair: Pair): RegisterUpkeep {
  const { registers, primaries, transactions, registerTransactions } = pair.one.service;
  const upkeep = new RegisterUpkeep(
    registers,
    primaries,
    new Keys(pair.prefix),
    systemClock,
    Math.random,
    { transactions, registerTransactions },
    0,
  );
  upkeep.close();
  return upkeep;
}

/** How much the primaries have of a register, in its key and the indexes. */
export async function storedOf(pair: Pair, name: string): Promise<number> {
  const keys = new Keys(pair.prefix);
  const all = await Promise.all(
    pair.primaries.all.map(async (primary) => {
      const found = [await command(primary, "EXISTS", keys.register(name))];
      for (const index of [keys.registers, keys.registersGone, keys.registersEnding])
        found.push((await command(primary, "ZSCORE", index, name)) === null ? 0 : 1);
      return found.reduce<number>((sum, one) => sum + Number(one), 0);
    }),
  );
  return all.reduce((sum, one) => sum + one, 0);
}
