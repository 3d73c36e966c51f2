import { type Violation, violation } from "./check.js";
import { areLost, type Hold, holdsOf, isCutShort } from "./holds.js";
import {
  asked,
  type Done,
  done,
  groupBy,
  type History,
  type Operation,
  ofKind,
  type WorldEvent,
} from "./operation.js";

/** A leader as somebody was told of it. */
interface Sight {
  readonly by: Operation & { readonly endMs: number };
  readonly term: number;
  readonly candidate: string;
  /** Null: the answer did not tell. */
  readonly value: string | null;
}

/** A value that was written: with a campaign, or by a proclaim. */
interface Write {
  readonly by: Operation;
  readonly value: string;
  /** When it was over for sure; infinite where nobody knows whether it still takes effect. */
  readonly overMs: number;
  readonly acknowledged: boolean;
}

type Proclaimed = Done<"proclaim", "proclaimed">;

/**
 * Elections are locks whose token is the term: that terms are unique and grow, and that one leader may trust its term at
 * a time, is for `checkTokens` and `checkHolds`. Here: a term has one leader, whoever is told of it; what is told never
 * goes back to an earlier term, nor to a value from before one that was acknowledged; nothing is proclaimed in a term
 * after a newer one; and no read contradicts a leader who may trust its term all the while. A proclaim that failed may
 * take effect at any later time.
 */
export function checkElections(history: History): Violation[] {
  const elections = new Set(
    asked(history.operations, "acquire", "leader").flatMap(({ request }) =>
      request.kind === "leader" || request.election ? [request.name] : [],
    ),
  );
  return [...elections].flatMap((name) => {
    const operations = history.operations.filter(({ request }) => "name" in request && request.name === name);
    const sights = sightsOf(operations);
    return [
      ...twoLeaders(name, sights),
      ...strangers(name, sights, operations),
      ...earlierTerms(name, sights),
      ...lateProclaims(name, sights, done(operations, "proclaim", "proclaimed")),
      ...earlierValues(name, sights, operations),
      ...contradictions(name, operations, history.events),
    ];
  });
}

function sightsOf(operations: readonly Operation[]): Sight[] {
  return [
    ...done(operations, "acquire", "granted").map((by) => ({
      by,
      term: by.outcome.token,
      candidate: by.client,
      value: null,
    })),
    ...done(operations, "renew", "renewed").map((by) => ({
      by,
      term: by.request.token,
      candidate: by.client,
      value: by.outcome.value ?? null,
    })),
    ...done(operations, "leader", "led").flatMap((by) =>
      by.outcome.leader ? [{ by, ...by.outcome.leader }] : [],
    ),
  ];
}

function twoLeaders(name: string, sights: readonly Sight[]): Violation[] {
  const first = new Map<number, Sight>();
  return sights.flatMap((sight) => {
    const other = first.get(sight.term);
    if (!other) first.set(sight.term, sight);
    if (!other || other.candidate === sight.candidate) return [];
    const what = `term ${sight.term} of ${name} had two leaders, ${other.candidate} and ${sight.candidate}`;
    return [violation("elections", what, other.by, sight.by)];
  });
}

/** A leader who had not campaigned by then, or whose value it had not written. */
function strangers(name: string, sights: readonly Sight[], operations: readonly Operation[]): Violation[] {
  const values = new Map<string, { client: string; startMs: number; term: number | null }>();
  for (const { client, startMs, request } of asked(operations, "acquire", "proclaim")) {
    if (request.value === undefined || values.has(request.value)) continue;
    values.set(request.value, { client, startMs, term: request.kind === "proclaim" ? request.token : null });
  }
  return sights.flatMap(({ by, candidate, value, term }) => {
    if (value === null) return [];
    const write = values.get(value);
    const isOfTerm = write?.client === candidate && (write.term ?? term) === term;
    if (isOfTerm && write.startMs < by.endMs) return [];
    const what = `${name} was seen with value ${value}, which ${candidate} had not written in term ${term}`;
    return [violation("elections", what, by)];
  });
}

/** A read or a renewal that tells of an earlier term than somebody was told of before it started. */
function earlierTerms(name: string, sights: readonly Sight[]): Violation[] {
  return sights.flatMap((sight) => {
    // Of grants this is said by `checkTokens`.
    if (sight.by.request.kind === "acquire") return [];
    const newer = sights.find((other) => other.term > sight.term && other.by.endMs < sight.by.startMs);
    if (!newer) return [];
    const what = `${name} was seen in term ${sight.term} after term ${newer.term} had been seen`;
    return [violation("elections", what, newer.by, sight.by)];
  });
}

function lateProclaims(
  name: string,
  sights: readonly Sight[],
  proclaims: readonly Proclaimed[],
): Violation[] {
  return proclaims.flatMap((proclaim) => {
    const { token } = proclaim.request;
    const newer = sights.find(({ term, by }) => term > token && by.endMs < proclaim.startMs);
    if (!newer) return [];
    const what = `${name} was proclaimed in term ${token} after term ${newer.term} had been seen`;
    return [violation("elections", what, newer.by, proclaim)];
  });
}

/** A value that was over when another was asked for, which was acknowledged before this one was seen. */
function earlierValues(
  name: string,
  sights: readonly Sight[],
  operations: readonly Operation[],
): Violation[] {
  const byTerm = groupBy(asked(operations, "proclaim"), ({ request }) => String(request.token));
  const campaigns = asked(operations, "acquire");
  return sights.flatMap((sight) => {
    const { by, value, term } = sight;
    if (value === null) return [];
    const writes = (byTerm.get(String(term)) ?? []).map(toWrite);
    const campaign = campaigns.find(({ request }) => request.value === value);
    // Whoever proclaims has been granted its term: so the value of the campaign is older.
    const seen = campaign
      ? { by: campaign, overMs: Number.NEGATIVE_INFINITY }
      : writes.find((one) => one.value === value);
    if (!seen) return [];
    const newer = writes.find(
      (write) =>
        write.acknowledged &&
        write.value !== value &&
        write.by.startMs > seen.overMs &&
        write.overMs < by.startMs,
    );
    if (!newer) return [];
    const what = `${name} was seen with value ${value} after ${newer.value} had been proclaimed`;
    return [violation("elections", what, seen.by, newer.by, by)];
  });
}

function toWrite(by: ReturnType<typeof asked<"proclaim">>[number]): Write {
  const acknowledged = by.outcome?.kind === "proclaimed";
  return {
    by,
    value: by.request.value,
    acknowledged,
    overMs: acknowledged && by.endMs !== null ? by.endMs : Number.POSITIVE_INFINITY,
  };
}

/**
 * A read that reports another leader, or that nobody leads, while one may trust its term from before the read until
 * after it. Two requests for one lease that run beside each other may be granted it with a term each: both are its own.
 */
function contradictions(
  name: string,
  operations: readonly Operation[],
  events: readonly WorldEvent[],
): Violation[] {
  const holds = holdsOf(operations);
  return done(operations, "leader", "led").flatMap((read) => {
    const { leader } = read.outcome;
    const trusted = holds.find(
      (hold) =>
        hold.fromMs <= read.startMs &&
        hold.untilMs >= read.endMs &&
        !holds.some((own) => own.leaseId === hold.leaseId && tokenOf(own) === leader?.term) &&
        !(leader && isAskedAgain(hold, leader, read.endMs, operations)) &&
        !isCutShort(hold, { fromMs: read.endMs }, events) &&
        !areLost(events, hold.askedMs, read.endMs) &&
        !(leader === null && isForgotten(hold, read.endMs, events)),
    );
    if (!trusted) return [];
    const seen = leader ? `${leader.candidate} in term ${leader.term}` : "nobody";
    const what = `${name} was seen to be led by ${seen} while ${trusted.by.client} led in term ${tokenOf(trusted)}`;
    return [violation("elections", what, trusted.by, read)];
  });
}

/** Whether the leader has asked for its lease once more by then, and was not told what became of that. */
function isAskedAgain(
  hold: Hold,
  leader: { readonly candidate: string; readonly term: number },
  untilMs: number,
  operations: readonly Operation[],
): boolean {
  if (leader.candidate !== hold.by.client || leader.term < (tokenOf(hold) ?? 0)) return false;
  return asked(operations, "acquire").some(
    ({ request, outcome, startMs }) =>
      request.leaseId === hold.leaseId && outcome?.kind !== "granted" && startMs < untilMs,
  );
}

/**
 * A primary that forgot grants nothing for as long as leases from before may live, but says like any other that it has
 * none: a majority may say that nobody leads while a leader, whom nobody can follow yet, still trusts its term.
 */
function isForgotten(hold: Hold, untilMs: number, events: readonly WorldEvent[]): boolean {
  return ofKind(events, "forgot").some(({ atMs }) => hold.askedMs <= atMs && atMs <= untilMs);
}

function tokenOf({ by }: Hold): number | null {
  if (by.outcome?.kind === "granted") return by.outcome.token;
  return by.request.kind === "renew" ? by.request.token : null;
}
