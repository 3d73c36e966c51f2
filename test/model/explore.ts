/**
 * Exhaustive exploration of a small model, breadth first, so that the history of a violation is a shortest one.
 */
import { progressTrouble } from "./progress.js";
import { States } from "./states.js";
import { type Canonical, canonicalForm } from "./symmetry.js";
import type { Layout, Shape, World } from "./world.js";

/** A step is described by a text in which {primary}, {client} and {reconciler} stand for the names of who takes part. */
export type Done = (text: string, primary?: number, actor?: number) => void;

export interface Model<S extends Shape> {
  readonly name: string;
  readonly layout: Layout<S>;
  /** Writes each state to begin with into `world` (all zero at first, then as it was left) and says so. */
  initial(world: World<S>, done: () => void): void;
  /** Every step that can be taken now: `fork()` gives a copy of the state, which the step changes before `done`. */
  steps(now: World<S>, fork: () => World<S>, done: Done): void;
  /** What is wrong with a state, or null. */
  violation(world: World<S>): string | null;
  /** What is wrong with a state in which no step can be taken, or null. */
  stuck?(world: World<S>): string | null;
  show(world: World<S>): string;
  /** What must be reached in the end, too. Such a model is explored without reduction by symmetry. */
  readonly progress?: Progress<S>;
  /** What must be reached somewhere, or the model proves less than it seems to. */
  readonly landmarks?: Readonly<Record<string, (world: World<S>) => boolean>>;
}

/** From every state a goal can be reached, and no run avoids them for ever in which whatever can always come comes. */
export interface Progress<S extends Shape> {
  goal(world: World<S>): boolean;
  /** Whether a step, by its text, may also never come though it always can. */
  mayNeverCome?(text: string): boolean;
  /** What is wrong when there is no way to a goal any more, and when there is one that is never taken. */
  readonly noWay: string;
  readonly forEver: string;
}

export interface Limits {
  readonly states?: number;
  /** Asked every few thousand states. */
  readonly goOn?: () => boolean;
  /** False keeps states apart that differ only by an exchange. */
  readonly symmetry?: boolean;
}

export interface Exploration {
  readonly model: string;
  readonly outcome: "exhausted" | "limit" | "violated";
  readonly states: number;
  /** Length of the longest of the shortest histories explored in full. */
  readonly depth: number;
  readonly landmarks: readonly string[];
  readonly missed: readonly string[];
  /** Of the violation, if there was one; the history begins with the state before the first step. */
  readonly violation?: string;
  readonly history?: readonly string[];
  /** So many steps at the end of the history come again and again. */
  readonly repeated?: number;
}

export function explore<S extends Shape>(model: Model<S>, limits: Limits = {}): Exploration {
  const { layout } = model;
  const canonical = limits.symmetry === false || model.progress ? () => {} : canonicalForm(layout);
  const states = new States(layout.words);
  const parents = new Parents();
  const now = layout.world();
  const next = layout.world();
  const unseen = new Map(Object.entries(model.landmarks ?? {}));
  const seen: string[] = [];
  let current = -1;
  let violation: string | null = null;

  let taken = 0;

  const reach = () => {
    taken++;
    if (violation !== null) return;
    canonical(next.words);
    if (!states.add(next.words)) return;
    parents.push(current);
    violation = model.violation(next);
    for (const [landmark, reached] of unseen)
      if (reached(next)) {
        unseen.delete(landmark);
        seen.push(landmark);
      }
  };
  const fork = () => {
    for (let k = 0; k < layout.words; k++) next.words[k] = now.words[k] as number;
    return next;
  };
  const report = (outcome: Exploration["outcome"], depth: number): Exploration => ({
    model: model.name,
    outcome,
    states: states.size,
    depth,
    landmarks: seen,
    missed: [...unseen.keys()],
  });

  // Apart from `next`, which `reach` brings to its representative, as the model still writes on this one.
  const first = layout.world();
  model.initial(first, () => {
    next.words.set(first.words);
    reach();
  });
  let last = violation === null ? -1 : states.size - 1;
  let depth = 0;
  let levelEnd = states.size;
  for (current = 0; current < states.size && violation === null; current++) {
    taken = 0;
    if (current === levelEnd) {
      depth++;
      levelEnd = states.size;
    }
    if (limits.states !== undefined && states.size >= limits.states) return report("limit", depth);
    if (current % 4096 === 0 && limits.goOn && !limits.goOn()) return report("limit", depth);
    states.read(current, now.words);
    model.steps(now, fork, reach);
    if (violation !== null) last = states.size - 1;
    else if (taken === 0) violation = model.stuck?.(now) ?? null;
    if (violation !== null && last < 0) last = current;
  }
  let loop: readonly number[] = [];
  if (violation === null && model.progress) {
    const trouble = progressTrouble(model, model.progress, states);
    if (trouble) ({ violation, state: last, loop } = trouble);
  }
  if (violation === null) return report("exhausted", depth);
  const path = [...parents.pathTo(last), ...loop].map((number) => {
    const words = new Uint32Array(layout.words);
    states.read(number, words);
    return words;
  });
  const repeated = loop.length > 0 ? { repeated: loop.length } : {};
  const history = retell(model, canonical, path);
  return { ...report("violated", path.length - 1), violation, history, ...repeated };
}

/** The history along representatives, told with the primaries and clients keeping their names throughout. */
function retell<S extends Shape>(
  model: Model<S>,
  canonical: Canonical,
  path: readonly Uint32Array[],
): string[] {
  const lines: string[] = [];
  const now = model.layout.world();
  const next = model.layout.world();
  const probe = new Uint32Array(model.layout.words);
  const leadsTo = (goal: Uint32Array) => {
    probe.set(next.words);
    canonical(probe);
    return probe.every((word, place) => word === goal[place]);
  };
  for (const goal of path) {
    let text: string | undefined;
    let chosen = new Uint32Array();
    const consider: Done = (step, primary = 0, actor = 0) => {
      if (text !== undefined || !leadsTo(goal)) return;
      text = named(step, primary, actor);
      chosen = next.words.slice();
    };
    if (lines.length === 0) model.initial(next, () => consider("at first"));
    else
      model.steps(
        now,
        () => {
          next.words.set(now.words);
          return next;
        },
        consider,
      );
    if (text === undefined) throw new Error("the model does not repeat its own steps");
    now.words.set(chosen);
    lines.push(`${String(lines.length).padStart(2)}. ${text.padEnd(62)} ${model.show(now)}`);
  }
  return lines;
}

export function clientName(place: number): string {
  return String.fromCharCode(65 + place);
}

function named(text: string, primary: number, actor: number): string {
  return text
    .replaceAll("{primary}", `P${primary + 1}`)
    .replaceAll("{client}", clientName(actor))
    .replaceAll("{reconciler}", `K${actor + 1}`);
}

/** For each state the state that it was first reached from, -1 for none. */
class Parents {
  #numbers = new Int32Array(1 << 16);
  #count = 0;

  push(parent: number): void {
    if (this.#count === this.#numbers.length) {
      const longer = new Int32Array(this.#count * 2);
      longer.set(this.#numbers);
      this.#numbers = longer;
    }
    this.#numbers[this.#count++] = parent;
  }

  pathTo(state: number): number[] {
    const path: number[] = [];
    for (let step = state; step >= 0; step = this.#numbers[step] ?? -1) path.push(step);
    return path.reverse();
  }
}
