import { scanBy } from "../quorum/scan.js";
import type { Primary } from "../redis/primary.js";
import {
  dropHolds,
  dropOverlong,
  restoreCounters,
  restoreTombstones,
  type StateSummary,
  summarizeState,
  type Tombstone,
} from "../scripts/configuration-calls.js";
import type { Keys } from "../scripts/keys.js";
import { announceIncarnation, listMembers, putMember } from "../scripts/member-calls.js";
import type { Call } from "../scripts/scripts.js";

/** One end of a copy: a primary as it was seen. Everything is refused once it is not that any more. */
export interface CopyEnd {
  readonly primary: Primary;
  readonly connectionEpoch: number;
  readonly configurationEpoch: string;
}

/**
 * Copies to `target` what `sources` have: the maximum of the counters, members with their remaining time, the maximum of
 * their incarnations, and tombstones. Frees the target's own holds, which may lack a release or a later grant, and forgets
 * members that only another server's clock keeps alive. Doing it twice, or two at once, does no harm. Rejects with
 * `PrimaryFailure` when one of them changed meanwhile. Returns the floor to begin with.
 */
export async function copyState(sources: readonly CopyEnd[], target: CopyEnd, keys: Keys): Promise<number> {
  await scan(target, keys.holdPattern, (holds) => run(target, dropHolds(holds)));
  await scan(target, keys.memberPattern, (members) => run(target, dropOverlong(members)));
  const others = sources.filter(({ primary }) => primary !== target.primary);
  const { floor } = await highestOf(sources, keys);
  // One after the other and in small pages: requests go on meanwhile, and must not wait for this.
  for (const source of others) {
    await copyCounters(source, target, keys, floor);
    await copyMembers(source, target, keys);
    await scan(source, keys.tombstonePattern, (tombstoneKeys) =>
      copyTombstones(source, target, tombstoneKeys),
    );
  }
  // Once more, after the counters: a rotation meanwhile has moved names from those into its floor. It also shows
  // that no source has lost its data since, which the pages, that are no scripts, would not have told.
  const last = await highestOf(sources, keys);
  await run(target, announceIncarnation(keys, last.incarnation));
  return last.floor;
}

async function highestOf(
  sources: readonly CopyEnd[],
  keys: Keys,
): Promise<Pick<StateSummary, "floor" | "incarnation">> {
  const summaries = await Promise.all(sources.map((source) => run(source, summarizeState(keys))));
  return {
    floor: Math.max(0, ...summaries.map((one) => one.floor)),
    incarnation: Math.max(0, ...summaries.map((one) => one.incarnation)),
  };
}

/**
 * Copies the counters above `floor`, which stands for all others. The older generation first: a rotation in the middle
 * moves names from what is still to be read to what was read, so then all is read again.
 */
async function copyCounters(source: CopyEnd, target: CopyEnd, keys: Keys, floor: number): Promise<void> {
  for (;;) {
    const before: StateSummary = await run(source, summarizeState(keys));
    if (before.max <= floor) return;
    for (const generation of [keys.countersOlder, keys.counters]) {
      let cursor = "0";
      do {
        const [next, page] = (await source.primary.command(
          source.connectionEpoch,
          "HSCAN",
          generation,
          cursor,
          "COUNT",
          PAGE,
        )) as [string, string[]];
        cursor = next;
        const counters: [string, number][] = [];
        for (let i = 0; i + 1 < page.length; i += 2) {
          const counter = Number(page[i + 1]);
          if (counter > floor && page[i] !== "max") counters.push([page[i] as string, counter]);
        }
        if (counters.length > 0) await run(target, restoreCounters(keys, counters));
      } while (cursor !== "0");
    }
    const after = await run(source, summarizeState(keys));
    if (after.rotations === before.rotations) return;
  }
}

async function copyMembers(source: CopyEnd, target: CopyEnd, keys: Keys): Promise<void> {
  const scan = (set: string) => scanBy((call) => run(source, call), set);
  for (const service of await scan(keys.services)) {
    const ids = await scan(keys.members(service));
    for (let at = 0; at < ids.length; ) {
      const { members, lookedAt } = await run(source, listMembers(keys, service, ids.slice(at, at + BATCH)));
      await Promise.all(members.map((member) => run(target, putMember(keys, service, member))));
      at += lookedAt;
    }
  }
}

async function copyTombstones(
  source: CopyEnd,
  target: CopyEnd,
  tombstoneKeys: readonly string[],
): Promise<void> {
  const ask = (command: string, key: string) => source.primary.command(source.connectionEpoch, command, key);
  const found = await Promise.all(
    tombstoneKeys.map(async (key) => {
      const [says, leftMs] = await Promise.all([ask("GET", key), ask("PTTL", key)]);
      return { key, says: says as string | null, leftMs: Number(leftMs) };
    }),
  );
  const tombstones = found.filter((one): one is Tombstone => one.says !== null && one.leftMs > 0);
  if (tombstones.length > 0) await run(target, restoreTombstones(tombstones));
}

/** All keys that match, some at a time. */
async function scan(
  end: CopyEnd,
  pattern: string,
  found: (keys: readonly string[]) => Promise<void>,
): Promise<void> {
  let cursor = "0";
  do {
    const [next, keys] = (await end.primary.command(
      end.connectionEpoch,
      "SCAN",
      cursor,
      "MATCH",
      pattern,
      "COUNT",
      PAGE,
    )) as [string, string[]];
    cursor = next;
    if (keys.length > 0) await found(keys);
  } while (cursor !== "0");
}

function run<T>({ primary, connectionEpoch, configurationEpoch }: CopyEnd, call: Call<T>): Promise<T> {
  return primary.runAs(connectionEpoch, configurationEpoch, call);
}

/** Elements of a page, and of a batch: some tenths of a millisecond of a primary's time, and of ours, each. */
const PAGE = 200;
const BATCH = 50;
