import { type Violation, violation } from "./check.js";
import { asked, type Done, done, groupBy, type History, type Operation, ofKind } from "./operation.js";

/** What somebody was told about who is a member. */
interface Sight {
  readonly by: Operation;
  readonly service: string;
  /** Between these the primaries were asked. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Incarnations by member; null where only the member is known. */
  readonly seen: ReadonlyMap<string, number | null>;
  /** All members, not just some. */
  readonly complete: boolean;
}

type Asked<R extends "register" | "heartbeat" | "leave" | "change"> = ReturnType<typeof asked<R>>[number];
/** Whatever lets a member live on; one that restarts lives on for its grace. */
type LifeSign = Asked<"register" | "heartbeat"> | Restart;
type Restart = Asked<"leave"> & { readonly request: { readonly restartGraceMs: number } };
type Acknowledged = Done<"register", "alive"> | Done<"heartbeat", "alive">;

/** What was asked for one member; each list in the order of the starts. */
interface Life {
  readonly id: string;
  readonly signs: readonly LifeSign[];
  /** By place in `signs`: when the member must be gone, if nothing was asked for it later. */
  readonly goneMs: readonly number[];
  readonly acknowledged: readonly Acknowledged[];
  readonly ttlMsMax: number;
  readonly registers: readonly Asked<"register">[];
  /** By place in `registers`: when the last of them was over; infinite when nobody knows what came of one. */
  readonly registeredMs: readonly number[];
  readonly byIncarnation: ReadonlyMap<number, Done<"register", "alive">>;
  /** For good. */
  readonly leaves: readonly Asked<"leave">[];
  /** What ends it at a given time, if not before: restarts, and drains for some time. */
  readonly ends: readonly Operation[];
}

/**
 * A member whose registration or heartbeat was acknowledged is in every list until its time to live is over, and is
 * gone a second after that; a leave that was acknowledged is seen by every later list. Lists are judged by what was
 * sure throughout: what overlaps may be seen or not.
 */
export function checkMembers(history: History): Violation[] {
  const lives = new Map(
    [...groupBy(asked(history.operations, "register", "heartbeat", "leave", "change"), serviceOf)].map(
      ([service, operations]) => [service, livesOf(operations)],
    ),
  );
  return sightsOf(history.operations).flatMap((sight) => {
    const ofService = lives.get(sight.service) ?? [];
    return [
      ...unknown(sight, ofService),
      ...ofService.flatMap((life) =>
        sight.seen.has(life.id) ? ghost(sight, life, history) : missing(sight, life, history),
      ),
      ...ofService.flatMap((life) => outdated(sight, life, history)),
    ];
  });
}

function sightsOf(operations: readonly Operation[]): Sight[] {
  const lists = done(operations, "list", "listed").map((by) => ({
    by,
    service: by.request.service,
    fromMs: by.startMs,
    toMs: by.endMs,
    seen: new Map(by.outcome.members.map(({ id, incarnation }) => [id, incarnation])),
    complete: true,
  }));
  const owners = done(operations, "owner", "owned").map((by) => ({
    by,
    service: by.request.service,
    fromMs: by.startMs - by.request.viewAgeMsMax,
    toMs: by.endMs,
    seen: new Map([[by.outcome.owner, null]]),
    complete: false,
  }));
  return [...lists, ...owners];
}

function livesOf(operations: readonly Asked<"register" | "heartbeat" | "leave" | "change">[]): Life[] {
  return [...groupBy(operations, ({ request }) => request.member)].map(([id, ofMember]) => {
    const restarts = asked(ofMember, "leave").filter(isRestart);
    const signs = ofMember.filter(isLifeSign);
    const registers = asked(ofMember, "register");
    const acknowledged = signs.filter(
      (sign): sign is typeof sign & Acknowledged => sign.outcome?.kind === "alive",
    );
    return {
      id,
      signs,
      // Clocks may differ by 1 %.
      goneMs: highestSoFar(signs, (sign) =>
        isAnswered(sign) ? sign.endMs + lifeMs(sign) * 1.01 + GONE_WITHIN_MS : Number.POSITIVE_INFINITY,
      ),
      acknowledged,
      ttlMsMax: Math.max(0, ...new Set(signs.map(lifeMs))),
      registers,
      registeredMs: highestSoFar(registers, ({ outcome, endMs }) =>
        outcome?.kind === "alive" && endMs !== null ? endMs : Number.POSITIVE_INFINITY,
      ),
      byIncarnation: new Map(
        done(ofMember, "register", "alive").map((one) => [one.outcome.incarnation, one]),
      ),
      leaves: asked(ofMember, "leave").filter((leave) => !isRestart(leave)),
      ends: [
        ...restarts,
        ...asked(ofMember, "change").filter(({ request }) => request.drainMs !== undefined),
      ],
    };
  });
}

function unknown(sight: Sight, lives: readonly Life[]): Violation[] {
  return [...sight.seen.keys()]
    .filter((id) => !lives.some((life) => life.id === id))
    .map((id) => violation("members", `${id} of ${sight.service} was seen, and never registered`, sight.by));
}

/** The acknowledgement that says that this member must be seen, if there is one. */
function proofOfLife({ fromMs, toMs }: Sight, life: Life, history: History): Acknowledged | undefined {
  const { acknowledged, leaves, ends, byIncarnation, ttlMsMax } = life;
  for (let place = startedBefore(acknowledged, fromMs) - 1; place >= 0; place--) {
    const sign = acknowledged[place] as Acknowledged;
    if (sign.startMs + ttlMsMax < toMs) return undefined;
    // Clocks may differ by 1 %, and expiry has a precision of some ms.
    if (sign.endMs >= fromMs || toMs > sign.startMs + sign.request.ttlMs * 0.99 - 5) continue;
    if (isExcused(history, sign.startMs, toMs)) continue;
    const registered = byIncarnation.get(sign.outcome.incarnation);
    const mayHaveLeft = (leave: Operation) =>
      leave.startMs < toMs && !(registered && isAnswered(leave) && leave.endMs < registered.startMs);
    if (![...leaves, ...ends].some(mayHaveLeft)) return sign;
  }
  return undefined;
}

function missing(sight: Sight, life: Life, history: History): Violation[] {
  const proof = sight.complete ? proofOfLife(sight, life, history) : undefined;
  if (!proof) return [];
  return [violation("members", `${life.id} of ${sight.service} is alive and was not seen`, proof, sight.by)];
}

/** Seen in an incarnation that was over: a lower one, or one of a registration that had failed before. */
function outdated(sight: Sight, life: Life, history: History): Violation[] {
  const incarnation = sight.seen.get(life.id) ?? null;
  if (incarnation === null) return [];
  const proof = proofOfLife(sight, life, history);
  if (!proof || proof.outcome.incarnation === incarnation) return [];
  const registered = life.byIncarnation.get(proof.outcome.incarnation);
  if (proof.outcome.incarnation < incarnation && mayBeLater(incarnation, registered, sight, life, history))
    return [];
  const what = `${life.id} of ${sight.service} was seen as incarnation ${incarnation}, after ${proof.outcome.incarnation} was acknowledged`;
  return [violation("members", what, proof, sight.by)];
}

/** Whether there is a registration that was not over when this one began, and can have got that incarnation. */
function mayBeLater(
  incarnation: number,
  registered: Operation | undefined,
  sight: Sight,
  { registers }: Life,
  history: History,
): boolean {
  if (!registered || isExcused(history, registered.startMs, sight.toMs)) return true;
  return registers.some(
    (other) =>
      other.id !== registered.id &&
      other.startMs < sight.toMs &&
      !(isAnswered(other) && other.endMs < registered.startMs) &&
      (other.outcome?.kind !== "alive" || other.outcome.incarnation === incarnation),
  );
}

function ghost(sight: Sight, life: Life, history: History): Violation[] {
  return [...lingering(sight, life, history), ...undead(sight, life, history)];
}

/** Seen more than a second after its time to live ended, counted from the last that anybody asked for it. */
function lingering(sight: Sight, life: Life, history: History): Violation[] {
  const place = startedBefore(life.signs, sight.toMs) - 1;
  const last = life.signs[place];
  if (!last) {
    const what = `${life.id} of ${sight.service} was seen before it was registered`;
    return [violation("members", what, sight.by)];
  }
  const goneMs = life.goneMs[place] ?? 0;
  if (goneMs + keptLongerMs(history, sight, life) + guardedMs(history) >= sight.fromMs) return [];
  if (isExcused(history, last.startMs, sight.toMs)) return [];
  const ms = sight.fromMs - goneMs + GONE_WITHIN_MS;
  const what = `${life.id} of ${sight.service} was still seen ${ms.toFixed(1)} ms after its time to live was over`;
  return [violation("members", what, last, sight.by)];
}

/** For how much longer a guard may keep it. */
function guardedMs({ events }: History): number {
  return Math.max(0, ...ofKind(events, "guarded").map(({ keptMs }) => keptMs));
}

/** For how much longer than its time to live a primary may have kept it. */
function keptLongerMs({ events }: History, sight: Sight, { ttlMsMax }: Life): number {
  return ofKind(events, "late_message").reduce((longest, event) => {
    if (event.untilMs > sight.toMs) return longest;
    const lateMs = event.untilMs - event.atMs;
    const isOver = event.untilMs + lateMs + ttlMsMax * 1.01 + GONE_WITHIN_MS < sight.fromMs;
    return isOver ? longest : Math.max(longest, lateMs);
  }, 0);
}

/** Seen after it had left. */
function undead(sight: Sight, life: Life, history: History): Violation[] {
  const registered = life.byIncarnation.get(sight.seen.get(life.id) ?? -1);
  // A registration whose outcome nobody knows may take effect at any later time, unless it is known to be another.
  const registeredMs =
    registered?.endMs ?? life.registeredMs[startedBefore(life.registers, sight.toMs) - 1] ?? 0;
  const left = life.leaves
    .slice(startedBefore(life.leaves, registeredMs))
    .find(
      ({ outcome, startMs, endMs }) =>
        outcome?.kind === "left" &&
        startMs > registeredMs &&
        endMs !== null &&
        endMs < sight.fromMs &&
        !isExcused(history, startMs, sight.toMs),
    );
  if (!left || isForgotten(left, sight, life, history)) return [];
  return [violation("members", `${life.id} of ${sight.service} was seen after it had left`, left, sight.by)];
}

/**
 * A member that came back after it had left, and died then, is remembered by nobody: a primary that reads only then what
 * was sent before it left keeps it like any other that died.
 */
function isForgotten(
  left: Asked<"leave">,
  sight: Sight,
  { registers, ttlMsMax }: Life,
  { events }: History,
): boolean {
  const cameBack = registers.find(
    ({ startMs, outcome }) => startMs > left.startMs && outcome?.kind === "alive",
  );
  if (!cameBack) return false;
  return ofKind(events, "late_message").some(
    (event) =>
      event.atMs < left.startMs &&
      event.untilMs > cameBack.startMs &&
      event.untilMs <= sight.toMs &&
      event.untilMs + ttlMsMax * 1.01 + GONE_WITHIN_MS >= sight.fromMs,
  );
}

/** How many of these, which are in the order of their starts, started before that time. */
function startedBefore(operations: readonly Operation[], ms: number): number {
  let low = 0;
  let high = operations.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((operations[middle] as Operation).startMs < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

function highestSoFar<T>(all: readonly T[], rank: (one: T) => number): number[] {
  let highest = Number.NEGATIVE_INFINITY;
  return all.map((one) => {
    highest = Math.max(highest, rank(one));
    return highest;
  });
}

export function isExcused({ events }: History, fromMs: number, toMs: number): boolean {
  return (
    ofKind(events, "clock_jump").some((jump) => jump.atMs <= toMs && jump.membersUntilMs >= fromMs) ||
    ofKind(events, "majority_lost").some(({ atMs }) => fromMs <= atMs && atMs <= toMs)
  );
}

/** Whether the service itself came to an end with it: nothing of it is done any later by the service. */
export function isAnswered(operation: Operation): operation is Operation & { endMs: number } {
  return operation.outcome !== null && operation.outcome.kind !== "no_answer";
}

const isRestart = (leave: Asked<"leave">): leave is Restart => leave.request.restartGraceMs !== undefined;

function isLifeSign(operation: Asked<"register" | "heartbeat" | "leave" | "change">): operation is LifeSign {
  const { request } = operation;
  return request.kind === "leave" ? request.restartGraceMs !== undefined : request.kind !== "change";
}

function lifeMs({ request }: LifeSign): number {
  return request.kind === "leave" ? request.restartGraceMs : request.ttlMs;
}

const serviceOf = ({ request }: Asked<"register" | "heartbeat" | "leave" | "change">) => request.service;
const GONE_WITHIN_MS = 1_000;
