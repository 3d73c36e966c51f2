import { asked, done, groupBy } from "../history/operation.js";
import { tellViolation } from "../history/tell.js";
import type { Happened, Run } from "./run.js";

/** A run in readable lines. */
export function report(run: Run): string {
  const { history, happened, grants, violations, options } = run;
  const { operations } = history;
  const recoveries = happened.flatMap(({ recoveredMs, undoneMs }) =>
    recoveredMs === null ? [] : [recoveredMs - undoneMs],
  );
  const lines = [
    `seed ${options.seed}, ${options.minutes} min, ${options.primaries} primaries (${options.kind}), ${options.subject}`,
    `operations: ${operations.length} (${listed(countBy(operations, ({ request }) => request.kind))})`,
    `  answers: ${listed(countBy(operations, ({ outcome }) => answerOf(outcome)))}`,
    `faults: ${happened.length}`,
    ...[...countBy(happened, ({ kind }) => kind)].map(([kind, count]) => {
      const times = happened.filter((one) => one.kind === kind).flatMap(recoveryMs);
      return `  ${String(count).padStart(3)} ${kind}: all took part again after ${quantiles(times)}`;
    }),
    ...[...run.skipped].map(([kind, reason]) => `  SKIPPED ${kind}: ${reason}`),
    `time until all took part again: ${quantiles(recoveries)}`,
    `longest time without a grant of a free name, a majority being there: ${ms(longestUnavailableMs(run))}`,
    `time to the next grant after a majority was away: ${quantiles(backAfterMs(run))}`,
    `grants in one round trip: ${share(grants.inOneRound, grants.all)}`,
    `acquire, granted without waiting: ${quantiles(grantMs(run))}`,
    `transactions that name a lease: ${listed(countBy(leased(run), (what) => what))}`,
    `watchers of members: ${listed(countBy(toldOf(run), ({ event }) => event))}; began anew ${run.history.events.filter(({ kind }) => kind === "told_anew").length} times`,
    `slowest answer of an instance that ran: ${ms(slowestMs(run))}`,
    `violations: ${violations.length}`,
    ...violations.slice(0, 20).map((one) => tellViolation(one, eventsNear(run, one.operations))),
  ];
  return lines.join("\n");
}

/** What became of each transaction that names a lease. */
function leased({ history }: Run): string[] {
  const begins = asked(history.operations, "begin").filter(({ request }) => request.lease);
  const its = groupBy(
    asked(history.operations, "begin", "vote", "acknowledge", "abort", "decision"),
    ({ request }) => request.transaction,
  );
  return [...new Set(begins.map(({ request }) => request.transaction))].map((transaction) => {
    const outcomes = (its.get(transaction) ?? []).map(({ outcome }) => outcome);
    const stand = outcomes.flatMap((one) => (one?.kind === "stands" && one.decision ? [one] : []))[0];
    if (stand?.decision === "committed") return "committed";
    if (stand) return stand.reason === "lease_lost" ? "aborted: lease_lost" : "aborted for another reason";
    const isRefused = outcomes.some((one) => one?.kind === "failed" && one.code === "lease_lost");
    return isRefused ? "refused: lease_lost" : "nobody was told";
  });
}

const toldOf = ({ history }: Run) => history.events.filter((event) => event.kind === "told");

/** Time of each acquire that was granted and did not wait in line, ms. */
export function grantMs({ history }: Run): number[] {
  return done(history.operations, "acquire", "granted")
    .filter(({ request }) => !request.waitMs)
    .map(({ startMs, endMs }) => endMs - startMs);
}

/** The longest that any answer took beyond the wait that was asked for, where the instance was not paused meanwhile. */
function slowestMs({ history }: Run): number {
  const pauses = history.events.filter((event) => event.kind === "paused");
  return history.operations.reduce((slowest, { startMs, endMs, instance, request }) => {
    const paused = pauses.some(
      (one) => one.instance === instance && one.atMs < (endMs ?? startMs) && one.untilMs > startMs,
    );
    const waitMs = request.kind === "acquire" ? (request.waitMs ?? 0) : 0;
    return paused || endMs === null ? slowest : Math.max(slowest, endMs - startMs - waitMs);
  }, 0);
}

/** How many requests were not answered at all while the client waited. */
export function hung({ history }: Run): number {
  return history.operations.filter(
    ({ outcome }) => outcome?.kind === "no_answer" && /hung|nothing within/.test(outcome.why),
  ).length;
}

export function quantiles(values: readonly number[]): string {
  if (values.length === 0) return "none";
  const at = (share: number) => ms(quantile(values, share));
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)} (${values.length})`;
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export function ms(value: number): string {
  return `${value.toFixed(value < 100 ? 1 : 0)} ms`;
}

export function share(part: number, whole: number): string {
  return whole === 0 ? "none" : `${((100 * part) / whole).toFixed(1)} % of ${whole}`;
}

/**
 * The longest time between two grants of names that nobody else wants, by one instance, while no fault took a majority
 * away from it or hit the instance itself.
 */
function longestUnavailableMs(run: Run): number {
  let longest = 0;
  for (const [instance, endsMs] of freshGrants(run)) {
    for (let i = 1; i < endsMs.length; i++) {
      const [fromMs, toMs] = [endsMs[i - 1] as number, endsMs[i] as number];
      const excused = run.happened.some(
        (one) =>
          (one.majority || one.kind.startsWith("instance_")) &&
          one.beganMs < toMs &&
          (one.recoveredMs ?? Number.POSITIVE_INFINITY) + QUARANTINE_MS > fromMs,
      );
      if (!excused) longest = Math.max(longest, toMs - fromMs);
    }
    if (endsMs.length === 0) throw new Error(`no grant of a free name by ${instance}`);
  }
  return longest;
}

/** From the end of each fault that took a majority away to the next grant, by each instance. */
function backAfterMs(run: Run): number[] {
  return [...freshGrants(run).values()].flatMap((endsMs) =>
    run.happened
      .filter(({ majority }) => majority)
      .flatMap(({ undoneMs }) => {
        const next = endsMs.find((endMs) => endMs > undoneMs);
        return next === undefined ? [] : [next - undoneMs];
      }),
  );
}

function freshGrants({ history }: Run): Map<string, number[]> {
  const byInstance = new Map<string, number[]>();
  for (const { request, instance, endMs } of done(history.operations, "acquire", "granted")) {
    if (!request.name.startsWith("fresh-")) continue;
    const endsMs = byInstance.get(instance) ?? [];
    byInstance.set(instance, endsMs);
    endsMs.push(endMs);
  }
  for (const endsMs of byInstance.values()) endsMs.sort((a, b) => a - b);
  return byInstance;
}

/** Faults around what a violation is about: without them nobody understands it. */
function eventsNear({ history }: Run, operations: readonly { startMs: number; endMs: number | null }[]) {
  if (operations.length === 0) return [];
  const fromMs = Math.min(...operations.map(({ startMs }) => startMs)) - 5_000;
  const toMs = Math.max(...operations.map(({ startMs, endMs }) => endMs ?? startMs));
  return history.events.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
}

const recoveryMs = ({ recoveredMs, undoneMs }: Happened) =>
  recoveredMs === null ? [] : [recoveredMs - undoneMs];

function answerOf(outcome: Run["history"]["operations"][number]["outcome"]): string {
  if (!outcome) return "open";
  if (outcome.kind === "failed") return outcome.code;
  return outcome.kind;
}

function countBy<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const one of all) counts.set(keyOf(one), (counts.get(keyOf(one)) ?? 0) + 1);
  return new Map([...counts].sort(([, a], [, b]) => b - a));
}

function listed(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([what, count]) => `${count} ${what}`).join(", ");
}

/** How many acquires were refused since another had the name, and how many for another reason. */
export function refusals({ history }: Run): { held: number; other: number } {
  const acquires = asked(history.operations, "acquire");
  const held = acquires.filter(({ outcome }) => outcome?.kind === "held").length;
  const granted = acquires.filter(({ outcome }) => outcome?.kind === "granted").length;
  return { held, other: acquires.length - held - granted };
}

const QUARANTINE_MS = 6_000;
