import { type Violation, violation } from "./check.js";
import { asked, type Done, done, groupBy, type History, type Operation } from "./operation.js";

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

type LifeSign = ReturnType<typeof asked<"register" | "heartbeat">>[number];
type Leave = ReturnType<typeof asked<"leave">>[number];

/** What was asked for one member. */
interface Life {
  readonly id: string;
  readonly signs: readonly LifeSign[];
  readonly acknowledged: readonly (Done<"register", "alive"> | Done<"heartbeat", "alive">)[];
  readonly leaves: readonly Leave[];
}

/**
 * A member whose registration or heartbeat was acknowledged is in every list until its time to live is over, and is
 * gone a second after that; a leave that was acknowledged is seen by every later list. Lists are judged by what was
 * sure throughout: what overlaps may be seen or not.
 */
export function checkMembers(history: History): Violation[] {
  const lives = new Map(
    [...groupBy(asked(history.operations, "register", "heartbeat", "leave"), serviceOf)].map(
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

function livesOf(operations: readonly (LifeSign | Leave)[]): Life[] {
  return [...groupBy(operations, ({ request }) => request.member)].map(([id, ofMember]) => ({
    id,
    signs: asked(ofMember, "register", "heartbeat"),
    acknowledged: [...done(ofMember, "register", "alive"), ...done(ofMember, "heartbeat", "alive")],
    leaves: asked(ofMember, "leave"),
  }));
}

function unknown(sight: Sight, lives: readonly Life[]): Violation[] {
  return [...sight.seen.keys()]
    .filter((id) => !lives.some((life) => life.id === id))
    .map((id) => violation("members", `${id} of ${sight.service} was seen, and never registered`, sight.by));
}

/** The acknowledgement that says that this member must be seen, if there is one. */
function proofOfLife({ fromMs, toMs }: Sight, life: Life, history: History) {
  return life.acknowledged.find((sign) => {
    const { ttlMs } = sign.request;
    // Clocks may differ by 1 %, and expiry has a precision of some ms.
    if (sign.endMs >= fromMs || toMs > sign.startMs + ttlMs * 0.99 - 5) return false;
    if (isExcused(history, sign.startMs, toMs)) return false;
    const registered = life.acknowledged.find(
      (one) => one.request.kind === "register" && one.outcome.incarnation === sign.outcome.incarnation,
    );
    return !life.leaves.some(
      (leave) =>
        leave.startMs < toMs && !(registered && isAnswered(leave) && leave.endMs < registered.startMs),
    );
  });
}

function missing(sight: Sight, life: Life, history: History): Violation[] {
  const proof = sight.complete ? proofOfLife(sight, life, history) : undefined;
  if (!proof) return [];
  return [violation("members", `${life.id} of ${sight.service} is alive and was not seen`, proof, sight.by)];
}

/** Seen in an incarnation that was over. */
function outdated(sight: Sight, life: Life, history: History): Violation[] {
  const incarnation = sight.seen.get(life.id) ?? null;
  if (incarnation === null) return [];
  const proof = proofOfLife(sight, life, history);
  if (!proof || proof.outcome.incarnation <= incarnation) return [];
  const what = `${life.id} of ${sight.service} was seen as incarnation ${incarnation}, after ${proof.outcome.incarnation} was acknowledged`;
  return [violation("members", what, proof, sight.by)];
}

function ghost(sight: Sight, life: Life, history: History): Violation[] {
  return [...lingering(sight, life, history), ...undead(sight, life, history)];
}

/** Seen more than a second after its time to live ended, counted from the last that anybody asked for it. */
function lingering(sight: Sight, life: Life, history: History): Violation[] {
  const signs = life.signs.filter(({ startMs }) => startMs < sight.toMs);
  const goneMs = Math.max(
    ...signs.map((sign) => (isAnswered(sign) ? sign.endMs + sign.request.ttlMs * 1.01 + GONE_WITHIN_MS : Infinity)),
  );
  if (goneMs >= sight.fromMs) return [];
  const last = signs.reduce<LifeSign | undefined>(
    (best, one) => (best && (best.endMs ?? 0) >= (one.endMs ?? 0) ? best : one),
    undefined,
  );
  if (!last) return [violation("members", `${life.id} of ${sight.service} was seen before it was registered`, sight.by)];
  if (isExcused(history, last.startMs, sight.toMs)) return [];
  const ms = sight.fromMs - (last.endMs ?? 0);
  const what = `${life.id} of ${sight.service} was still seen ${ms.toFixed(0)} ms after its last sign of life`;
  return [violation("members", what, last, sight.by)];
}

/** Seen after it had left. */
function undead(sight: Sight, life: Life, history: History): Violation[] {
  const registers = life.signs.filter(
    ({ request, startMs }) => request.kind === "register" && startMs < sight.toMs,
  );
  const left = life.leaves.find(
    (leave) =>
      leave.outcome?.kind === "left" &&
      leave.endMs !== null &&
      leave.endMs < sight.fromMs &&
      !isExcused(history, leave.startMs, sight.toMs) &&
      // One whose outcome nobody knows may take effect at any later time.
      registers.every(
        (one) => one.outcome?.kind === "alive" && one.endMs !== null && one.endMs < leave.startMs,
      ),
  );
  if (!left) return [];
  return [violation("members", `${life.id} of ${sight.service} was seen after it had left`, left, sight.by)];
}

function isExcused({ events }: History, fromMs: number, toMs: number): boolean {
  return events.some((event) => {
    if (event.kind === "clock_fault") return event.atMs <= toMs && event.untilMs >= fromMs;
    return event.kind === "majority_lost" && fromMs <= event.atMs && event.atMs <= toMs;
  });
}

/** Whether the service itself came to an end with it: nothing of it is done any later by the service. */
function isAnswered(operation: Operation): operation is Operation & { endMs: number } {
  return operation.outcome !== null && operation.outcome.kind !== "no_answer";
}

const serviceOf = ({ request }: LifeSign | Leave) => request.service;
const GONE_WITHIN_MS = 1_000;
