import { createHash } from "node:crypto";

/** What one reporter says against a member. */
export interface Report {
  readonly reporter: string;
  /** How much it counts: 1, less for a reporter that was late itself. */
  readonly weight: number;
  /** How often the reporter has said so, each time before the last was forgotten. */
  readonly times: number;
}

/** What is remembered of the last report of a reporter. */
export interface Remembered {
  readonly times: number;
  /** For how long it still counts; below zero: for how long it has not, ms. */
  readonly leftMs: number;
  /** Since it was counted as a report of its own, and not as the same again, ms. */
  readonly countedAgeMs: number;
}

/**
 * For how long a report counts, ms: the time to live of the member, 10 s at least, and twice as long with each repetition.
 * So a member whom its peers cannot reach is suspect for longer each time, whatever its heartbeats say.
 */
export function windowMsOf(ttlMs: number, times: number): number {
  const firstMs = Math.max(ttlMs, WINDOW_MS_MIN);
  return Math.min(firstMs * 2 ** (Math.min(times, TIMES_MAX) - 1), Math.max(firstMs, WINDOW_MS_MAX));
}

/**
 * A report that is made now, after the last of the same reporter. Within half a window it is the same again, and only counts
 * for longer. A report is forgotten when it has not counted for as long as it did.
 */
export function nextReport(last: Remembered | undefined, ttlMs: number): Remembered {
  const windowMs = last ? windowMsOf(ttlMs, last.times) : 0;
  if (!last || last.leftMs <= -windowMs) return { times: 1, leftMs: windowMsOf(ttlMs, 1), countedAgeMs: 0 };
  if (last.countedAgeMs < windowMs / 2) return { ...last, leftMs: windowMs };
  const times = Math.min(last.times + 1, TIMES_MAX);
  return { times, leftMs: windowMsOf(ttlMs, times), countedAgeMs: 0 };
}

/** What a report counts by what is known of its reporter: half as much from one that is late with its heartbeat. */
export function weightOf({ ttlMs, heartbeatAgeMs }: { ttlMs: number; heartbeatAgeMs: number }): number {
  return heartbeatAgeMs > ttlMs / 2 ? LATE_WEIGHT : 1;
}

/**
 * How many reporters it takes: three; in a small service a majority of the other members, and two at least, since one
 * alone may have lost its own network.
 */
export function reportersNeeded(members: number): number {
  const majorityOfOthers = Math.floor((members - 1) / 2) + 1;
  return Math.min(REPORTERS_NEEDED, Math.max(REPORTERS_MIN, majorityOfOthers));
}

/** What the probes of one instance count where so many instances share them: together as much as it takes. */
export function probeWeight(instances: number): number {
  return REPORTERS_NEEDED / Math.min(REPORTERS_NEEDED, Math.max(1, instances));
}

/**
 * Which members of a service are suspect. If the reports are about more than half of it, the reporters are as likely to be
 * wrong (Envoy's panic threshold): then only those most strongly suspected are, and of equals those with the lower ids.
 * `reports`: of each live member that has any, by its id, one per reporter.
 */
export function suspectsOf(
  reports: ReadonlyMap<string, readonly Report[]>,
  members: number,
): ReadonlySet<string> {
  const needed = reportersNeeded(members);
  const found = [...reports]
    .filter(([, ofMember]) => sumOf(ofMember, ({ weight }) => weight) >= needed)
    .map(([id, ofMember]) => ({ id, strength: sumOf(ofMember, ({ weight, times }) => weight * times) }))
    .sort((one, other) => other.strength - one.strength || (one.id < other.id ? -1 : 1));
  const most = Math.floor(members * SUSPECT_SHARE_MAX);
  return new Set(found.slice(0, most).map(({ id }) => id));
}

/** Why a member is suspect. */
export interface Suspected {
  /** In words, for people: who reported it, and what some of them said. */
  readonly why: string;
  /** Names those who reported it: the same for everybody who knows of the same. */
  readonly episode: string;
}

/** `reports`: about one member, at least one. */
export function suspectedBy(
  reports: readonly { readonly reporter: string; readonly reason: string }[],
): Suspected {
  const sorted = [...reports].sort((one, other) => (one.reporter < other.reporter ? -1 : 1));
  const reporters = sorted.map(({ reporter }) => reporter);
  const said = sorted.slice(0, REASONS_MAX).map(({ reporter, reason }) => `${reporter} (${reason})`);
  const digest = createHash("sha256").update(reporters.join("\n")).digest("base64url");
  return {
    why: `reported by ${[...said, ...reporters.slice(REASONS_MAX)].join(", ")}`,
    episode: digest.slice(0, 8),
  };
}

/** One report per reporter: of what several primaries know of one, what was repeated most often, then what counts longest. */
export function mergeReports<R extends Report & Remembered>(replies: readonly (readonly R[])[]): R[] {
  const merged = new Map<string, R>();
  for (const report of replies.flat()) {
    const known = merged.get(report.reporter);
    if (!known || (report.times - known.times || report.leftMs - known.leftMs) > 0)
      merged.set(report.reporter, report);
  }
  return [...merged.values()];
}

const sumOf = <T>(all: readonly T[], value: (one: T) => number): number =>
  all.reduce((sum, one) => sum + value(one), 0);

export const REPORTERS_NEEDED = 3;
const REPORTERS_MIN = 2;
const LATE_WEIGHT = 0.5;
/** That are told, of up to 256 characters each. */
const REASONS_MAX = 3;
/** Of the members of a service. */
const SUSPECT_SHARE_MAX = 0.5;
/** Long enough for several peers to time out on one member. */
const WINDOW_MS_MIN = 10_000;
export const WINDOW_MS_MAX = 600_000;
/** Six doublings: 10 s become 10 minutes. */
export const TIMES_MAX = 7;
