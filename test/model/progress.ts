/**
 * Whether what is to come comes in the end, once all states are known. Two things may be wrong: that from some state no
 * goal can be reached any more; and that some run avoids the goals for ever though it is fair, that is, though whatever
 * can come all the time comes some time (weak fairness). Such a run goes round in a strongly connected part of the
 * graph in which each step either is taken or, somewhere, cannot be taken.
 */
import type { Model, Progress } from "./explore.js";
import type { States } from "./states.js";
import { at, type Shape } from "./world.js";

export interface Trouble {
  readonly violation: string;
  /** Where it begins, and the states that come then, again and again. */
  readonly state: number;
  readonly loop: readonly number[];
}

export function progressTrouble<S extends Shape>(
  model: Model<S>,
  progress: Progress<S>,
  states: States,
): Trouble | null {
  const graph = graphOf(model, progress, states);
  const lost = firstLost(graph);
  if (lost >= 0) return { violation: progress.noWay, state: lost, loop: [] };
  let nearest: Trouble | null = null;
  for (const part of connectedParts(graph)) {
    const state = part.reduce((least, one) => Math.min(least, one));
    if ((nearest && nearest.state < state) || !isFair(graph, part)) continue;
    nearest = { violation: progress.forEver, state, loop: fairLoop(graph, part, state) };
  }
  return nearest;
}

/** All states and steps, those of state s with the numbers `from[s]` to `from[s + 1]`, the last not included. */
interface Graph {
  readonly states: number;
  readonly from: Int32Array;
  readonly to: readonly number[];
  /** Which step it is, by its text; negative when it need not come. */
  readonly step: readonly number[];
  readonly isGoal: Uint8Array;
}

function graphOf<S extends Shape>(model: Model<S>, progress: Progress<S>, states: States): Graph {
  const from = new Int32Array(states.size + 1);
  const to: number[] = [];
  const step: number[] = [];
  const isGoal = new Uint8Array(states.size);
  // A step's number is that of its text, which leaves room for who takes part.
  const numbers = new Map<string, number>();
  const now = model.layout.world();
  const next = model.layout.world();
  const fork = () => {
    next.words.set(now.words);
    return next;
  };
  for (let state = 0; state < states.size; state++) {
    states.read(state, now.words);
    isGoal[state] = progress.goal(now) ? 1 : 0;
    from[state] = to.length;
    model.steps(now, fork, (text, primary = 0, actor = 0) => {
      let number = numbers.get(text);
      if (number === undefined) {
        number = (numbers.size + 1) * (progress.mayNeverCome?.(text) ? -64 : 64);
        numbers.set(text, number);
      }
      to.push(states.find(next.words));
      step.push(number + primary * 8 + actor);
    });
  }
  from[states.size] = to.length;
  return { states: states.size, from, to, step, isGoal };
}

/** The first state from which no goal can be reached, or -1. */
function firstLost(graph: Graph): number {
  const { states, isGoal } = graph;
  const back = backwards(graph);
  const reaches = isGoal.slice();
  const open: number[] = [];
  for (let state = 0; state < states; state++) if (isGoal[state]) open.push(state);
  for (let state = open.pop(); state !== undefined; state = open.pop())
    for (let k = at(back.from, state); k < at(back.from, state + 1); k++) {
      const before = at(back.to, k);
      if (reaches[before]) continue;
      reaches[before] = 1;
      open.push(before);
    }
  return reaches.indexOf(0);
}

/** The steps turned round. */
function backwards({ states, from, to }: Graph): { from: Int32Array; to: Int32Array } {
  const counts = new Int32Array(states + 1);
  for (const state of to) counts[state + 1] = at(counts, state + 1) + 1;
  for (let state = 0; state < states; state++) counts[state + 1] = at(counts, state + 1) + at(counts, state);
  const back = { from: counts, to: new Int32Array(to.length) };
  const place = counts.slice();
  for (let state = 0; state < states; state++)
    for (let k = at(from, state); k < at(from, state + 1); k++) {
      const next = at(to, k);
      back.to[at(place, next)] = state;
      place[next] = at(place, next) + 1;
    }
  return back;
}

/** Tarjan's strongly connected parts of what is no goal, as far as there is a way round in them. */
function connectedParts({ states, from, to, isGoal }: Graph): number[][] {
  const parts: number[][] = [];
  const order = new Int32Array(states);
  const low = new Int32Array(states);
  const isOpen = new Uint8Array(states);
  const place = from.slice(0, states);
  const open: number[] = [];
  let count = 0;
  for (let root = 0; root < states; root++) {
    if (order[root] || isGoal[root]) continue;
    const path = [root];
    order[root] = low[root] = ++count;
    isOpen[root] = open.push(root) && 1;
    for (let state = path.at(-1); state !== undefined; state = path.at(-1)) {
      const k = at(place, state);
      if (k < at(from, state + 1)) {
        place[state] = k + 1;
        const next = at(to, k);
        if (isGoal[next]) continue;
        if (!order[next]) {
          order[next] = low[next] = ++count;
          isOpen[next] = open.push(next) && 1;
          path.push(next);
        } else if (isOpen[next]) low[state] = Math.min(at(low, state), at(order, next));
        continue;
      }
      path.pop();
      const before = path.at(-1);
      if (before !== undefined) low[before] = Math.min(at(low, before), at(low, state));
      if (low[state] !== order[state]) continue;
      const part = open.splice(open.lastIndexOf(state));
      for (const one of part) isOpen[one] = 0;
      if (part.length > 1) parts.push(part);
    }
  }
  return parts;
}

/** Whether whatever could come in each of its states is a step within the part. */
function isFair(graph: Graph, part: readonly number[]): boolean {
  const always = alwaysPossible(graph, part);
  const inside = new Set(part);
  for (const state of part)
    for (let k = at(graph.from, state); k < at(graph.from, state + 1); k++)
      if (inside.has(at(graph.to, k))) always.delete(at(graph.step, k));
  return always.size === 0;
}

/** The steps that must come, and that are possible in all of these states. */
function alwaysPossible({ from, step }: Graph, some: Iterable<number>): Set<number> {
  let always: Set<number> | null = null;
  for (const state of some) {
    const possible = new Set<number>();
    for (let k = at(from, state); k < at(from, state + 1); k++) {
      const one = at(step, k);
      if (one > 0 && (always === null || always.has(one))) possible.add(one);
    }
    always = possible;
  }
  return always ?? new Set();
}

/** A fair way round through a part that has one, not far from the shortest: the states that follow `start`, to it again. */
function fairLoop(graph: Graph, part: readonly number[], start: number): number[] {
  const inside = new Set(part);
  const loop: number[] = [];
  const taken = new Set<number>();
  let here = start;
  for (;;) {
    const due = alwaysPossible(graph, [start, ...loop]);
    for (const step of taken) due.delete(step);
    const isDone = due.size === 0;
    if (isDone && here === start && loop.length > 0) return loop;
    // To the nearest state or step that settles something that is due; when all is settled, back.
    const way = nearest(graph, inside, here, (state, step) => {
      if (isDone) return state === start;
      if (due.has(step)) return true;
      const possible = alwaysPossible(graph, [state]);
      return [...due].some((one) => !possible.has(one));
    });
    for (const { state, step } of way) {
      loop.push(state);
      taken.add(step);
      here = state;
    }
  }
}

/** The shortest way of at least one step whose last is as wanted. */
function nearest(
  { from, to, step }: Graph,
  inside: ReadonlySet<number>,
  start: number,
  isWanted: (state: number, step: number) => boolean,
): { state: number; step: number }[] {
  const before = new Map<number, { state: number; step: number }>();
  const open = [start];
  for (const state of open)
    for (let k = at(from, state); k < at(from, state + 1); k++) {
      const last = { state: at(to, k), step: at(step, k) };
      if (!inside.has(last.state)) continue;
      if (isWanted(last.state, last.step)) {
        const way = [last];
        for (let one = state; one !== start; ) {
          const link = before.get(one);
          if (!link) break;
          way.unshift({ state: one, step: link.step });
          one = link.state;
        }
        return way;
      }
      if (before.has(last.state) || last.state === start) continue;
      before.set(last.state, { state, step: last.step });
      open.push(last.state);
    }
  throw new Error("a connected part is not connected");
}
