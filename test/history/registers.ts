import { type Violation, violation } from "./check.js";
import { type Call, linearizable, type Sequential } from "./linearizability/linearizable.js";
import { lossOf } from "./objects.js";
import {
  asked,
  groupBy,
  type History,
  type Operation,
  type Outcome,
  ofKind,
  type Request,
} from "./operation.js";

/**
 * Registers are linearizable, each by itself. A change without an answer may take effect at any time, or never; one that
 * was tried several times under an idempotency key takes effect once. A register with a time to live may end by itself,
 * but not before its time. What was acknowledged before a majority of the primaries lost data is not judged after it.
 */
export function checkRegisters(history: History): Violation[] {
  const all = asked(history.operations, "put", "delete", "read");
  return [...groupBy(all, ({ request }) => request.key)].flatMap(([key, operations]) => [
    ...ambiguousEtags(key, operations),
    ...appliedTwice(key, operations),
    ...disorder(key, operations, history),
  ]);
}

type RegisterRequest = Extract<Request, { kind: "put" | "delete" | "read" }>;
type RegisterOperation = Operation & { readonly request: RegisterRequest };

/** The register of a key, as far as it is known. */
interface State {
  readonly value: string;
  readonly number: number | null;
  /** Null: nobody was told yet. */
  readonly etag: string | null;
}

type Input = RegisterRequest | { readonly kind: "expire"; readonly value: string };
/** `key_mismatch` and the like change nothing and tell nothing: they are no calls. */
type Output = Extract<Outcome, { kind: "changed" | "mismatch" | "found" }>;
type RegisterCall = Call<Input, Output> & { readonly operations: readonly RegisterOperation[] };

function disorder(key: string, operations: readonly RegisterOperation[], { events }: History): Violation[] {
  const jumps = ofKind(events, "clock_jump").length > 0;
  const calls = beforeLoss(callsOf(operations, jumps), lossOf(operations, events));
  const verdict = linearizable(calls, register);
  if (verdict.kind === "linearizable") return [];
  if (verdict.kind === "undecided")
    return [violation("registers", `nobody can say whether ${key} is linearizable: too many calls at once`)];
  const what = `no order of the calls explains what was told of ${key}`;
  return [violation("registers", what, ...verdict.calls.flatMap(({ operations }) => operations))];
}

function callsOf(operations: readonly RegisterOperation[], jumps: boolean): RegisterCall[] {
  const tries = groupBy(operations, ({ id, request }) =>
    request.kind !== "read" && request.idempotencyKey !== undefined ? request.idempotencyKey : `#${id}`,
  );
  const calls = [...tries.values()].flatMap(callsOfTries);
  const ends = calls.flatMap(({ input, startMs, operations }): RegisterCall[] => {
    if (input.kind !== "put" || input.ttlMs === undefined) return [];
    const endsMs = startMs + (jumps ? 0 : input.ttlMs * (1 - DRIFT));
    return [{ input: { kind: "expire", value: input.value }, startMs: endsMs, answer: null, operations }];
  });
  return [...calls, ...ends];
}

/** One that was told of the change speaks for all of its tries; each that was refused, or found nothing, for itself. */
function callsOfTries(operations: readonly RegisterOperation[]): RegisterCall[] {
  const first = operations[0] as RegisterOperation;
  const [told] = sorted(operations.filter(({ outcome }) => outcome?.kind === "changed"));
  const open = operations.filter(({ outcome }) => mayHaveChanged(outcome));
  const others = operations.filter(
    ({ outcome }) => outcome?.kind === "mismatch" || outcome?.kind === "found",
  );
  const calls = others.map((one) => callOf(one.request, one.startMs, one));
  if (told) return [...calls, callOf(first.request, first.startMs, told)];
  if (open.length === 0 || first.request.kind === "read") return calls;
  return [...calls, { input: first.request, startMs: first.startMs, answer: null, operations: open }];
}

const sorted = (operations: readonly RegisterOperation[]) =>
  [...operations].sort((a, b) => (a.endMs as number) - (b.endMs as number));

/** A change that was made once is told alike to each of its tries. */
function appliedTwice(key: string, operations: readonly RegisterOperation[]): Violation[] {
  const first = new Map<string, RegisterOperation>();
  return operations.flatMap((operation) => {
    const { request, outcome } = operation;
    if (request.kind === "read" || request.idempotencyKey === undefined || outcome?.kind !== "changed")
      return [];
    const other = first.get(request.idempotencyKey);
    if (!other) first.set(request.idempotencyKey, operation);
    if (!other || JSON.stringify(other.outcome) === JSON.stringify(outcome)) return [];
    const what = `${request.idempotencyKey} changed ${key} twice`;
    return [violation("registers", what, other, operation)];
  });
}

function callOf(input: RegisterRequest, startMs: number, told: RegisterOperation): RegisterCall {
  return {
    input,
    startMs,
    answer: { atMs: told.endMs as number, output: told.outcome as Output },
    operations: [told],
  };
}

export function mayHaveChanged(outcome: Outcome | null): boolean {
  if (outcome === null || outcome.kind === "no_answer") return true;
  return outcome.kind === "failed" && !NOTHING_DONE.includes(outcome.code);
}

/** 503 and refusals are told only where nothing was proposed. */
const NOTHING_DONE = [
  "no_quorum",
  "contended",
  "too_many_keyed",
  "idempotency_mismatch",
  "shutting_down",
  "overloaded",
  "too_many_transactions",
];

/** What was under way when a majority lost data may be lost with it. */
function beforeLoss(calls: readonly RegisterCall[], lostMs: number): RegisterCall[] {
  return calls.flatMap((call): RegisterCall[] => {
    if (call.startMs >= lostMs) return [];
    if (call.answer === null || call.answer.atMs < lostMs) return [call];
    return call.input.kind === "read" || call.answer.output.kind === "mismatch"
      ? []
      : [{ ...call, answer: null }];
  });
}

const register: Sequential<State | null, Input, Output> = {
  initial: null,
  step(state, input, output) {
    switch (input.kind) {
      case "expire":
        return state?.value === input.value ? null : undefined;
      case "read":
        return output?.kind === "found" ? found(state, output.version) : undefined;
      case "put":
      case "delete":
        return changed(state, input, output);
    }
  },
  key: (state) => JSON.stringify(state),
};

function changed(
  state: State | null,
  request: Extract<RegisterRequest, { kind: "put" | "delete" }>,
  output: Output | undefined,
): State | null | undefined {
  if (output?.kind === "mismatch") {
    const { etag } = request;
    const { current } = output;
    if (etag === undefined || (current?.etag ?? null) === etag) return undefined;
    return seen(state, current);
  }
  if (output?.kind === "found") return request.kind === "delete" && state === null ? null : undefined;
  const before = meeting(state, request);
  if (before === undefined) return undefined;
  const next = before?.number == null ? null : before.number + 1;
  const told = output?.number ?? next;
  // A register that was deleted may begin anew, or where its tombstone left off.
  if (before && next !== null && told !== next) return undefined;
  if (request.kind === "delete") return before === null ? undefined : null;
  return { value: request.value, number: told, etag: output?.etag ?? null };
}

/** The register where it meets the condition of a change, which may tell its etag. */
function meeting(state: State | null, { etag }: { readonly etag?: string | null }): State | null | undefined {
  if (etag === undefined) return state;
  if (etag === null || state === null) return state === etag ? state : undefined;
  if (state.etag === null) return { ...state, etag };
  return state.etag === etag ? state : undefined;
}

function found(
  state: State | null,
  told: { readonly number: number; readonly etag: string; readonly value: string } | null,
): State | null | undefined {
  if (told && state?.value !== told.value) return undefined;
  return seen(state, told);
}

/** The register, of which this was told. */
function seen(
  state: State | null,
  told: { readonly number: number; readonly etag: string } | null,
): State | null | undefined {
  if (state === null || told === null) return state === told ? state : undefined;
  if (state.number !== null && state.number !== told.number) return undefined;
  if (state.etag !== null && state.etag !== told.etag) return undefined;
  return { value: state.value, number: told.number, etag: told.etag };
}

/** An etag that came again, for another value. */
function ambiguousEtags(key: string, operations: readonly RegisterOperation[]): Violation[] {
  const first = new Map<string, { readonly value: string; readonly operation: RegisterOperation }>();
  return operations.flatMap((operation) => {
    const named = namedIn(operation);
    if (!named) return [];
    const other = first.get(named.etag);
    if (!other) first.set(named.etag, { value: named.value, operation });
    if (!other || other.value === named.value) return [];
    const what = `etag ${named.etag} of ${key} names ${other.value} and ${named.value}`;
    return [violation("registers", what, other.operation, operation)];
  });
}

function namedIn({ request, outcome }: RegisterOperation): { etag: string; value: string } | null {
  if (outcome?.kind === "found") return outcome.version;
  if (request.kind !== "put" || outcome?.kind !== "changed" || outcome.etag === null) return null;
  return { etag: outcome.etag, value: request.value };
}

/** Clocks of primaries and the driver's differ in speed by so much. */
const DRIFT = 0.02;
