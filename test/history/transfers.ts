import { ACCOUNTS, BALANCE } from "./accounts.js";
import { type Violation, violation } from "./check.js";
import { type Call, linearizable, type Sequential } from "./linearizability/linearizable.js";
import { lossOf } from "./objects.js";
import { asked, groupBy, type History, type Operation, type Outcome, type Request } from "./operation.js";
import { mayHaveChanged } from "./registers.js";

/**
 * The accounts of a bank are one object: each transfer is all there or not at all, and so what one reads of several
 * belongs to one moment. Transfers keep the sum, so that whoever reads all finds it. What was acknowledged before a majority
 * of the primaries lost data is not judged after it.
 */
export function checkTransfers(history: History): Violation[] {
  const all = asked(history.operations, "transfer", "look");
  return [...groupBy(all, ({ request }) => bankOf(request)).values()].flatMap((operations) => {
    const lostMs = lossOf(operations, history.events);
    return [...wrongSums(operations, lostMs), ...madeTwice(operations), ...disorder(operations, lostMs)];
  });
}

/** What the keys of its accounts begin with. */
function bankOf(request: Input): string {
  const [key = ""] = request.kind === "look" ? [request.key] : keysOf(request);
  return key.slice(0, key.lastIndexOf("/") + 1);
}

function keysOf({ checks, reads, puts }: Transfer): string[] {
  return [...checks.map(({ key }) => key), ...reads, ...puts.map(({ key }) => key)];
}

type Transfer = Extract<Request, { kind: "transfer" }>;
type Input = Extract<Request, { kind: "transfer" | "look" }>;
type Output = Extract<Outcome, { kind: "transferred" | "unlike" | "found" }>;
type TransferOperation = Operation & { readonly request: Input };
type TransferCall = Call<Input, Output> & { readonly operations: readonly TransferOperation[] };

function wrongSums(operations: readonly TransferOperation[], lostMs: number): Violation[] {
  return operations.flatMap((operation) => {
    const { outcome, endMs } = operation;
    if (outcome?.kind !== "transferred" || !outcome.found || (endMs ?? lostMs) >= lostMs) return [];
    const all = Object.values(outcome.found);
    // Who reads all of them before there are any finds none.
    if (all.length < ACCOUNTS.length || all.some((one) => one === null)) return [];
    const sum = all.reduce((total, one) => total + Number(one?.value), 0);
    return sum === SUM ? [] : [violation("transfers", `the accounts had ${sum} together`, operation)];
  });
}

function madeTwice(operations: readonly TransferOperation[]): Violation[] {
  const first = new Map<string, TransferOperation>();
  return operations.flatMap((operation) => {
    const { request, outcome } = operation;
    if (request.kind !== "transfer" || request.idempotencyKey === undefined) return [];
    if (outcome?.kind !== "transferred") return [];
    const other = first.get(request.idempotencyKey);
    if (!other) first.set(request.idempotencyKey, operation);
    const made = (one: Outcome | null) => JSON.stringify(one?.kind === "transferred" ? one.changed : null);
    if (!other || made(other.outcome) === made(outcome)) return [];
    return [violation("transfers", `${request.idempotencyKey} was made twice`, other, operation)];
  });
}

function disorder(operations: readonly TransferOperation[], lostMs: number): Violation[] {
  const tries = groupBy(operations, ({ id, request }) =>
    request.kind === "transfer" && request.idempotencyKey !== undefined ? request.idempotencyKey : `#${id}`,
  );
  const calls = [...tries.values()].flatMap(callsOfTries).flatMap((call) => beforeLoss(call, lostMs));
  const verdict = linearizable(calls, accounts);
  if (verdict.kind === "linearizable") return [];
  if (verdict.kind === "undecided")
    return [
      violation("transfers", "nobody can say whether the accounts are linearizable: too many calls at once"),
    ];
  const what = "no order of the calls explains what was told of the accounts";
  return [violation("transfers", what, ...verdict.calls.flatMap((call) => call.operations))];
}

/** One that was told of the transfer speaks for all of its tries; each that was refused, for itself. */
function callsOfTries(operations: readonly TransferOperation[]): TransferCall[] {
  const { request, startMs } = operations[0] as TransferOperation;
  const told = operations.filter(({ outcome }) => outcome?.kind === "transferred");
  // What was read is told only by the try that made it.
  const making = told.find(({ outcome }) => outcome?.kind === "transferred" && outcome.found);
  const [first] = [...told].sort((a, b) => (a.endMs as number) - (b.endMs as number));
  const others = operations
    .filter(({ outcome }) => outcome?.kind === "unlike" || outcome?.kind === "found")
    .map((one) => callOf(one.request, one.startMs, one.endMs as number, one));
  if (first) return [...others, callOf(request, startMs, first.endMs as number, making ?? first)];
  const open = operations.filter(({ outcome }) => mayHaveChanged(outcome));
  if (open.length === 0 || request.kind === "look") return others;
  return [...others, { input: request, startMs, answer: null, operations: open }];
}

function callOf(input: Input, startMs: number, atMs: number, told: TransferOperation): TransferCall {
  return { input, startMs, answer: { atMs, output: told.outcome as Output }, operations: [told] };
}

/** What was under way when a majority lost data may be lost with it. */
function beforeLoss(call: TransferCall, lostMs: number): TransferCall[] {
  if (call.startMs >= lostMs) return [];
  if (call.answer === null || call.answer.atMs < lostMs) return [call];
  const isChange = call.input.kind === "transfer" && call.input.puts.length > 0;
  return isChange && call.answer.output.kind === "transferred" ? [{ ...call, answer: null }] : [];
}

interface Account {
  readonly value: string;
  /** Null: nobody was told yet. */
  readonly etag: string | null;
}

/** By key; one that is not there is missing. */
type State = Readonly<Record<string, Account>>;

const accounts: Sequential<State, Input, Output> = {
  initial: {},
  step(state, input, output) {
    if (input.kind === "look")
      return output?.kind === "found" ? seen(state, input.key, output.version) : undefined;
    if (output?.kind === "unlike") {
      const check = input.checks.find(({ key }) => key === output.key);
      if (!check || (output.current?.etag ?? null) === check.etag) return undefined;
      return seen(state, output.key, output.current);
    }
    return transferred(state, input, output?.kind === "transferred" ? output : null);
  },
  key: (state) => JSON.stringify(Object.entries(state).sort(([a], [b]) => (a < b ? -1 : 1))),
};

function transferred(
  before: State,
  { checks, puts }: Transfer,
  output: Extract<Output, { kind: "transferred" }> | null,
): State | undefined {
  let state: State | undefined = before;
  for (const { key, etag } of checks)
    state &&= seen(state, key, etag === null ? null : { etag, value: state[key]?.value });
  for (const [key, version] of Object.entries(output?.found ?? {})) state &&= seen(state, key, version);
  if (!state) return undefined;
  const next: Record<string, Account> = { ...state };
  for (const { key, value } of puts) next[key] = { value, etag: output?.changed[key]?.etag ?? null };
  return puts.length > 0 || output ? next : undefined;
}

/** The accounts, of one of which this was told. */
function seen(
  state: State,
  key: string,
  told: { readonly etag: string; readonly value?: string | undefined } | null,
): State | undefined {
  const account = state[key];
  if (!account || !told) return account === undefined && told === null ? state : undefined;
  if (told.value !== undefined && told.value !== account.value) return undefined;
  if (account.etag !== null && account.etag !== told.etag) return undefined;
  return { ...state, [key]: { ...account, etag: told.etag } };
}

const SUM = ACCOUNTS.length * BALANCE;
