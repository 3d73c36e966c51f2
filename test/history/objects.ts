import { type Promised, type Violation, violation } from "./check.js";
import { type Call, linearizable, type Sequential } from "./linearizability/linearizable.js";
import { groupBy, type Operation, type Outcome, ofKind, type WorldEvent } from "./operation.js";
import { mayHaveChanged } from "./registers.js";

// Objects of which each is judged for linearizability by itself.

/** Operations on one object, and what may happen to it without any. */
export interface Judged<S, I extends { readonly kind: string }, R extends Operation["request"] & I> {
  readonly promise: Promised;
  /** For readers. */
  readonly name: string;
  readonly operations: readonly (Operation & { readonly request: R })[];
  readonly events: readonly WorldEvent[];
  readonly object: Sequential<S, I, Outcome>;
  /** Whether an outcome tells anything of the object. */
  tells(outcome: Outcome): boolean;
  /** What may happen by itself. */
  readonly more?: readonly Call<I, Outcome>[];
}

/**
 * Whether one order explains all that was told. What was tried several times under an idempotency key takes effect once. What
 * was acknowledged before a majority of the primaries lost data is not judged after it.
 */
export function judge<S, I extends { readonly kind: string }, R extends Operation["request"] & I>(
  judged: Judged<S, I, R>,
): Violation[] {
  const { promise, name, operations, events, object, tells, more = [] } = judged;
  // One that found nothing to change says nothing of those that come after it.
  const triedAs = ({ id, request, outcome }: Operation) =>
    (isNothing(outcome) ? undefined : keyOf(request)) ?? `#${id}`;
  const tries = [...groupBy(operations, triedAs).values()];
  const unlike = tries.flatMap((all) => {
    const told = all.filter(({ outcome }) => outcome && tells(outcome));
    const other = told.find(({ outcome }) => JSON.stringify(outcome) !== JSON.stringify(told[0]?.outcome));
    const what = `${name} took one change twice`;
    return told[0] && other ? [violation(promise, what, told[0], other)] : [];
  });
  const lostMs = lossOf(operations, events);
  const calls: TriedCall<I>[] = [...tries.flatMap((all) => callOf<I>(all, tells)), ...more]
    .filter(({ startMs }) => startMs < lostMs)
    // What was under way may be lost as well.
    .map((call) => (call.answer && call.answer.atMs >= lostMs ? { ...call, answer: null } : call));
  const verdict = linearizable(calls, object);
  if (verdict.kind === "linearizable") return unlike;
  const what =
    verdict.kind === "undecided"
      ? `nobody can say whether ${name} is linearizable: too many calls at once`
      : `no order of the calls explains what was told of ${name}`;
  const told = verdict.kind === "violated" ? verdict.calls.flatMap(({ operations: its = [] }) => its) : [];
  return [...unlike, violation(promise, what, ...told)];
}

/** When what these asked of may be lost first. What was used only afterwards has nothing to lose. */
export function lossOf(operations: readonly Operation[], events: readonly WorldEvent[]): number {
  const beganMs = operations.reduce(
    (first, { startMs }) => Math.min(first, startMs),
    Number.POSITIVE_INFINITY,
  );
  const lost = ofKind(events, "majority_lost").map(({ atMs }) => atMs);
  return Math.min(...lost.filter((atMs) => atMs > beganMs - LOSS_LASTS_MS));
}

type TriedCall<I> = Call<I, Outcome> & { readonly operations?: readonly Operation[] };

/** One that was told what came of it speaks for all of its tries. */
function callOf<I>(
  operations: readonly (Operation & { readonly request: Operation["request"] & I })[],
  tells: (outcome: Outcome) => boolean,
): TriedCall<I>[] {
  const [first] = operations;
  if (!first) return [];
  const { request: input, startMs } = first;
  const told = operations.filter(({ outcome }) => outcome && tells(outcome));
  const [soonest] = [...told].sort((a, b) => (a.endMs as number) - (b.endMs as number));
  if (soonest) {
    const answer = { atMs: soonest.endMs as number, output: soonest.outcome as Outcome };
    return [{ input, startMs, answer, operations: [soonest] }];
  }
  const open = operations.filter(({ outcome }) => mayHaveChanged(outcome));
  return open.length === 0 ? [] : [{ input, startMs, answer: null, operations: open }];
}

const isNothing = (outcome: Outcome | null) => outcome?.kind === "latched" && outcome.latch === null;

function keyOf(request: Operation["request"]): string | undefined {
  return "idempotencyKey" in request ? request.idempotencyKey : undefined;
}

/** What is asked while a loss is being noticed may be lost with it. */
const LOSS_LASTS_MS = 10_000;
