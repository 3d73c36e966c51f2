import { Remaining } from "./remaining.js";

/** One call of a client on one object. Times are on one clock, as in a history. */
export interface Call<I, O> {
  readonly input: I;
  /** Read before the call was sent. */
  readonly startMs: number;
  /**
   * When the answer was read, and what it was. Null: nobody knows what came of the call. It may take effect at any time
   * after its start, or never.
   */
  readonly answer: { readonly atMs: number; readonly output: O } | null;
}

/** What an object does when its calls come one after the other. */
export interface Sequential<S, I, O> {
  readonly initial: S;
  /**
   * The state after a call; undefined where the call cannot have had this output in this state. Without an output: what
   * it does when it takes effect; undefined where it would change nothing, and so need not be tried.
   */
  step(state: S, input: I, output: O | undefined): S | undefined;
  /** Equal for equal states, and only for those. */
  key(state: S): string;
}

export type Verdict<C> =
  | { readonly kind: "linearizable" }
  /** The last of `calls` is the one at which every order fails, and those before it are what came last until then. */
  | { readonly kind: "violated"; readonly calls: readonly C[] }
  /** There are more configurations than are looked at. */
  | { readonly kind: "undecided" };

export interface Search {
  /** How many configurations (the calls that are done, and the state that they lead to) are looked at. */
  readonly configurationsMax?: number;
  /** For canaries. */
  readonly wrong?: WrongSearch;
}

const CONFIGURATIONS_MAX = 5_000_000;

export type WrongSearch =
  | "real time does not matter"
  | "unknown outcomes are failures"
  | "unknown outcomes are successes"
  | "of equal calls without an answer only one may happen"
  | "the cache leaves out the state"
  | "the cache leaves out the calls"
  | "no way back";

/**
 * Whether the calls have an order, each between its start and its answer, in which one after the other gives the same
 * outputs. Sources: Wing and Gong, "Testing and Verifying Concurrent Objects" (1993), for the search; Lowe, "Testing
 * for Linearizability" (2017), for the cache: where the same calls lead to the same state in another order, what
 * follows was tried already.
 */
export function linearizable<S, I, O, C extends Call<I, O>>(
  calls: readonly C[],
  object: Sequential<S, I, O>,
  { configurationsMax = CONFIGURATIONS_MAX, wrong }: Search = {},
): Verdict<C> {
  const remaining = new Remaining<C>(calls, wrong);
  const tried = new Set<string>();
  const done: { readonly call: number; readonly before: S }[] = [];
  let state = object.initial;
  let furthestMs = 0;
  let last: number | undefined;
  while (!remaining.mayEnd()) {
    const next = remaining.next(last);
    if (next === undefined) {
      // None fits that may come next, not even the one that ended first.
      furthestMs = Math.max(furthestMs, remaining.firstEndMs());
      const step = done.pop();
      if (!step || wrong === "no way back") return { kind: "violated", calls: until(calls, furthestMs) };
      remaining.putBack(step.call);
      state = step.before;
      last = step.call;
      continue;
    }
    last = next;
    const { input, answer } = remaining.call(next);
    const then = object.step(state, input, answer?.output);
    if (then === undefined) continue;
    remaining.take(next);
    const configuration = configurationKey(remaining.key(), object.key(then), wrong);
    if (tried.has(configuration)) {
      remaining.putBack(next);
      continue;
    }
    if (tried.size === configurationsMax) return { kind: "undecided" };
    tried.add(configuration);
    done.push({ call: next, before: state });
    state = then;
    last = undefined;
  }
  return { kind: "linearizable" };
}

/**
 * Whether each of several objects is: one violation is enough, and one that is found soon saves the long search for
 * others. So all have a short one first.
 */
export function allLinearizable<C, T>(
  objects: readonly T[],
  judge: (object: T, configurationsMax: number) => Verdict<C>,
): Verdict<C> {
  let open = objects;
  for (const configurationsMax of [CONFIGURATIONS_MAX / 100, CONFIGURATIONS_MAX]) {
    const undecided: T[] = [];
    for (const object of open) {
      const verdict = judge(object, configurationsMax);
      if (verdict.kind === "violated") return verdict;
      if (verdict.kind === "undecided") undecided.push(object);
    }
    open = undecided;
  }
  return { kind: open.length > 0 ? "undecided" : "linearizable" };
}

function configurationKey(done: string, state: string, wrong: WrongSearch | undefined): string {
  if (wrong === "the cache leaves out the state") return done;
  if (wrong === "the cache leaves out the calls") return state;
  return `${done} ${state}`;
}

const CALLS_TOLD_MAX = 12;

/** The last calls that had begun when the answer of that time came, and behind them the one with that answer. */
function until<C extends Call<unknown, unknown>>(calls: readonly C[], endMs: number): C[] {
  const isLast = ({ answer }: C) => answer?.atMs === endMs;
  const before = calls.filter((call) => call.startMs <= endMs && !isLast(call));
  return [
    ...before.sort((a, b) => a.startMs - b.startMs).slice(-CALLS_TOLD_MAX),
    ...calls.filter(isLast).slice(0, 1),
  ];
}
