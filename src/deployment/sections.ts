import { NO_BALLOT } from "../algorithms/ballot.js";
import { scanBy } from "../quorum/scan.js";
import { all } from "../redis/script-batches.js";
import { BOUND_AT_ONCE, restoreBound } from "../scripts/bound-calls.js";
import {
  dropBorrowed,
  dropHolds,
  restoreCounters,
  restoreTombstones,
  summarizeState,
  type Tombstone,
} from "../scripts/configuration-calls.js";
import type { Keys } from "../scripts/keys.js";
import { listMembers, putMember } from "../scripts/member-calls.js";
import {
  digestRegisters,
  dropRegisters,
  raiseRegisterFloor,
  readRegister,
  restoreRegister,
} from "../scripts/register-calls.js";
import { RUNS_MAX } from "../scripts/scripts.js";
import { type CopyEnd, commandOn, runOn, scanHash, scanKeys, scanMembers } from "./copy-end.js";

/** What one subsystem stores on primaries, and how a primary that may have lost some of it gets it back. */
export interface Section {
  /** Names it in the log. */
  readonly name: string;
  /**
   * Called before anything is copied: removes from the target what it must not keep. `isSource`: in a cold start, where
   * what it has kept is one of the copies that there are.
   */
  clean?(target: CopyEnd, keys: Keys, isSource: boolean): Promise<void>;
  /**
   * Copies to `target` what `source` has, in small pages, one after the other: requests are served meanwhile, and must not
   * wait for this. Copying twice, or two copies at once, must do no harm. `floor`: the highest of the sources' floors.
   */
  copy?(source: CopyEnd, target: CopyEnd, keys: Keys, floor: number): Promise<void>;
}

/** Holds are not copied: the quarantine outlasts them. Those of the target may lack a release or a later grant. */
const holds: Section = {
  name: "holds",
  clean: (target, keys) => scanKeys(target, keys.holdPattern, (found) => runOn(target, dropHolds(found))),
};

/** The maximum of the counters above `floor`, which stands for all others. */
const counters: Section = {
  name: "counters",
  async copy(source, target, keys, floor) {
    for (;;) {
      const before = await runOn(source, summarizeState(keys));
      if (before.max <= floor) return;
      // The older generation first: a rotation in the middle moves names from what is still to be read to what was
      // read, so then all is read again.
      for (const generation of [keys.countersOlder, keys.counters]) {
        await scanHash(source, generation, async (page) => {
          const above = countersAbove(floor, page);
          if (above.length > 0) await runOn(target, restoreCounters(keys, above));
        });
      }
      const after = await runOn(source, summarizeState(keys));
      if (after.rotations === before.rotations) return;
    }
  },
};

function countersAbove(floor: number, page: readonly string[]): [string, number][] {
  const found: [string, number][] = [];
  for (let i = 0; i + 1 < page.length; i += 2) {
    const counter = Number(page[i + 1]);
    if (counter > floor && page[i] !== "max") found.push([page[i] as string, counter]);
  }
  return found;
}

/** Members with their remaining time. Those whose time was set by another clock are dropped. */
const members: Section = {
  name: "members",
  async clean(target, keys) {
    await scanKeys(target, keys.memberPattern, (found) => runOn(target, dropBorrowed(found)));
    await runOn(target, dropBorrowed([]));
  },
  async copy(source, target, keys) {
    const scan = (set: string) => scanBy((call) => runOn(source, call), set);
    for (const service of await scan(keys.services)) {
      const ids = await scan(keys.members(service));
      for (let at = 0; at < ids.length; ) {
        const part = await runOn(source, listMembers(keys, service, ids.slice(at, at + BATCH)));
        const timely = part.members.filter(({ expiresInMs }) => expiresInMs > 0);
        await Promise.all(timely.map((member) => runOn(target, putMember(keys, service, member))));
        at += part.lookedAt;
      }
    }
  },
};

/** Lists of the leases that are bound to members. What the target has kept may stay: a vote on each lease decides. */
const bound: Section = {
  name: "bound leases",
  copy: (source, target, keys) =>
    scanKeys(source, keys.boundPattern, async (lists) => {
      for (const list of lists) {
        const leftMs = Number(await commandOn(source, "PTTL", list));
        if (leftMs <= 0) continue;
        await scanHash(
          source,
          list,
          (leases) => runOn(target, restoreBound(list, leftMs, leases)),
          BOUND_AT_ONCE,
        );
      }
    }),
};

/** The tombstones of leases that were ended, and of attempts that were abandoned. */
const tombstones: Section = {
  name: "tombstones",
  copy: (source, target, keys) =>
    scanKeys(source, keys.tombstonePattern, async (found) => {
      const read = await Promise.all(
        found.map(async (key) => {
          const [says, leftMs] = await Promise.all([
            commandOn(source, "GET", key),
            commandOn(source, "PTTL", key),
          ]);
          return { key, says: says as string | null, leftMs: Number(leftMs) };
        }),
      );
      const left = read.filter((one): one is Tombstone => one.says !== null && one.leftMs > 0);
      if (left.length > 0) await runOn(target, restoreTombstones(left));
    }),
};

/**
 * Registers: the highest ballots accepted and promised, and the highest floor of ballots. What the target has kept goes first:
 * it may be older than a deletion of which nothing is left elsewhere.
 */
const registers: Section = {
  name: "registers",
  async clean(target, keys, isSource) {
    if (isSource) return;
    for (const names of inBatches(await registersOn(target, keys), REGISTERS_AT_ONCE))
      await runOn(target, dropRegisters(names.map(keys.register)));
    const indexes = [keys.registers, keys.registersGone, keys.registersEnding];
    await runOn(target, dropRegisters(indexes, true));
  },
  async copy(source, target, keys) {
    await runOn(target, raiseRegisterFloor(await runOn(source, raiseRegisterFloor(NO_BALLOT))));
    const parts = inBatches(await registersOn(source, keys), COMPARED_AT_ONCE);
    const inTurn = async () => {
      for (const part of parts)
        for (const names of inBatches(await lacking(source, target, keys, part), REGISTERS_AT_ONCE))
          await copyRegisters(source, target, keys, names);
    };
    // One batch is written while another is read. None waits in between: the times that are left run on.
    await Promise.all([inTurn(), inTurn()]);
  },
};

/**
 * Those of these registers of which the target may lack something: all of them, or none but those that end, of which it may
 * have the shorter time. After a restart of all primaries most have the same, and so has a second source what the first had.
 */
async function lacking(
  source: CopyEnd,
  target: CopyEnd,
  keys: Keys,
  names: readonly string[],
): Promise<readonly string[]> {
  const [theirs, own] = await Promise.all(
    [source, target].map((end) => runOn(end, digestRegisters(keys, names))),
  );
  if (!theirs || theirs.digest !== own?.digest) return names;
  return names.filter((_, place) => theirs.ending.includes(place));
}

async function copyRegisters(
  source: CopyEnd,
  target: CopyEnd,
  keys: Keys,
  names: readonly string[],
): Promise<void> {
  const copies = await runOn(source, all(names.map((name) => readRegister(keys, name, true))));
  const restored = names.flatMap((name, place) => {
    const copy = copies[place];
    return copy ? [restoreRegister(keys, name, copy)] : [];
  });
  if (restored.length > 0) await runOn(target, all(restored));
}

/** The names of all registers of which a primary has anything. */
async function registersOn(end: CopyEnd, keys: Keys): Promise<readonly string[]> {
  const accepted = await scanMembers(end, keys.registers);
  return [...new Set([...accepted, ...(await scanMembers(end, keys.registersGone))])];
}

function* inBatches<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
}

/** In the order in which they are copied. */
export const SECTIONS: readonly Section[] = [holds, counters, members, bound, tombstones, registers];

/** Some tenths of a millisecond of a primary's time. */
const COMPARED_AT_ONCE = 100;

/** Each may have 64 KB. */
const REGISTERS_AT_ONCE = RUNS_MAX.get("restore-register") ?? 1;

/** Members per batch; each takes some tenths of a millisecond of a primary's time and of this process's. */
const BATCH = 50;
