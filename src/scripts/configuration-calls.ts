import type { Ballot, PromiseReply } from "../algorithms/ballot.js";
import { type Configuration, configurationEpochOf, type Stored } from "../algorithms/configuration.js";
import type { Keys } from "./keys.js";
import { type Call, isOne, scriptCall } from "./scripts.js";

export function prepare(register: string, ballot: Ballot): Call<PromiseReply> {
  return scriptCall("prepare", [register], [ballot], (reply) => {
    const [promised, theirs, value] = reply as [number, Ballot, string];
    if (promised !== 1) return { kind: "refused", promised: theirs };
    return { kind: "promised", accepted: theirs === "" ? null : { ballot: theirs, value } };
  });
}

/** Null if accepted, else the higher ballot that was promised. */
export function accept(register: string, ballot: Ballot, value: string): Call<Ballot | null> {
  return scriptCall("accept", [register], [ballot, value], (reply) => {
    const [accepted, promised] = reply as [number, Ballot];
    return accepted === 1 ? null : promised;
  });
}

export function commitConfiguration(
  keys: Keys,
  configuration: Configuration,
  id: string,
  stage: Stored["stage"],
): Call<void> {
  const args = [JSON.stringify(configuration), id, stage, configurationEpochOf(configuration, id, stage)];
  return scriptCall("commit-configuration", [keys.agreement(configuration.version)], args);
}

export function admit(
  configuration: Configuration,
  id: string,
  floor: number,
  quarantineMs: number,
): Call<void> {
  const configurationEpoch = configurationEpochOf(configuration, id, "member");
  return scriptCall("admit", [], [configurationEpoch, String(floor), Math.ceil(quarantineMs)]);
}

/** What a primary that is being readmitted needs besides the data itself. */
export interface StateSummary {
  readonly floor: number;
  /** The highest counter in both generations. */
  readonly max: number;
  readonly rotations: number;
  /** Time until the last lease that this primary voted for ends, ms. */
  readonly leasesEndInMs: number;
  /** The highest incarnation that was announced for any member. */
  readonly incarnation: number;
}

export function summarizeState(keys: Keys): Call<StateSummary> {
  return scriptCall("summarize-state", [keys.counters, keys.countersOlder, keys.incarnation], [], (reply) => {
    const [floor, max, rotations, leasesEndInMs, incarnation] = (reply as (string | number)[]).map(Number);
    return { floor, max, rotations, leasesEndInMs, incarnation } as StateSummary;
  });
}

export function restoreCounters(keys: Keys, counters: readonly (readonly [string, number])[]): Call<void> {
  const args = counters.flatMap(([name, counter]) => [name, String(counter)]);
  return scriptCall("restore-counters", [keys.counters, keys.countersOlder], args);
}

/** The record that a lease was ended, or an attempt abandoned. */
export interface Tombstone {
  readonly key: string;
  readonly says: string;
  readonly leftMs: number;
}

export function restoreTombstones(tombstones: readonly Tombstone[]): Call<void> {
  const keys = tombstones.map(({ key }) => key);
  const args = tombstones.flatMap(({ says, leftMs }) => [says, leftMs]);
  return scriptCall("restore-tombstones", keys, args);
}

export function dropHolds(holds: readonly string[]): Call<void> {
  return scriptCall("drop-holds", holds, []);
}

/** Forgets those of the members whose time was set by another clock. None: all were looked at. */
export function dropBorrowed(members: readonly string[]): Call<void> {
  return scriptCall("drop-borrowed", members, []);
}

/**
 * Number of counters at which a generation is rotated early: some 105 MB, and twice as much in two generations. Floors
 * rise by at most 2^20 with every second rotation, so by about half of the number of new names. The wall clock in
 * microseconds, at which a cold start begins, stays ahead of them up to 1.9 million new names a second.
 */
export const COUNTERS_MAX = 1_000_000;

/** Returns whether the generations were rotated; false: not yet due. */
export function rotateCounters(
  keys: Keys,
  afterMs: number,
  highestFloor = 0,
  countersMax = COUNTERS_MAX,
): Call<boolean> {
  const args = [afterMs, String(highestFloor), countersMax];
  return scriptCall("rotate-counters", [keys.counters, keys.countersOlder], args, isOne);
}
