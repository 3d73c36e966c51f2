/**
 * One who readmits a primary. Any number may do so at once, and each may stop after any step, for another to finish:
 *
 *   begin      learn the identity of the empty primary, and the configuration of some other
 *   prepare    with a ballot, on a majority of N that have exactly that configuration
 *   accept     the successor that was accepted under the highest ballot, else one of its own, on such a majority
 *   mark       the empty primary with the agreed successor, if it still is the one that this lists; go on if it is not
 *   fence      put the successor on a majority of N: from then on they refuse what belongs to the old one
 *   read       counters, and then floors, from a majority of N that have exactly the successor
 *   copy       them to the empty primary, while its mark is there
 *   configure  it, under the same condition: it takes part from now on
 *
 * A keeper that finds the empty primary marked already begins with the fence; one that finds it not marked, with a
 * successor of its own, even if the configuration lists it: it may have taken part since, and have been wiped again.
 */
import { majorityOf } from "../../src/algorithms/tally.js";
import { type Configurations, list, listed, NO_CONFIGURATION } from "./configurations.js";
import type { Done } from "./explore.js";
import { eff, type Primary, type ReadmissionOptions, type ReadmissionVariant, type ReadmissionWorld } from "./readmission.js";
import { at } from "./world.js";

type StageName = "prepare" | "accept" | "mark" | "fence" | "read" | "copy" | "configure";
type Keeper = ReadmissionWorld["keepers"][number];

const PLAN: readonly StageName[] = ["prepare", "accept", "mark", "fence", "read", "copy", "configure"];
const WRONG_PLANS: Partial<Record<ReadmissionVariant, readonly StageName[]>> = {
  "no fence": ["mark", "read", "copy", "configure"],
  "each writes its own configuration": ["fence", "mark", "read", "copy", "configure"],
  "copied before the fence": ["prepare", "accept", "mark", "read", "fence", "copy", "configure"],
};
const ON_TARGET: ReadonlySet<StageName> = new Set(["mark", "copy", "configure"]);
/** What was asked for earlier and may be done late. A late promise only keeps others from voting. */
const MAY_BE_LATE: ReadonlySet<StageName> = new Set(["accept", "mark", "fence"]);

const TEXTS: Record<StageName, string> = {
  prepare: "{primary} promises {keeper} its ballot",
  accept: "{primary} accepts the configuration of {keeper}",
  mark: "{keeper} marks {primary}",
  fence: "{keeper} fences {primary}",
  read: "{keeper} reads {primary}",
  copy: "{keeper} copies to {primary}",
  configure: "{keeper} readmits {primary}",
};

/** A keeper's `stage` is the place of what it does in its plan, + 1. */
export class Keepers {
  readonly #plan: readonly StageName[];

  constructor(
    private readonly options: ReadmissionOptions,
    private readonly configurations: Configurations,
  ) {
    this.#plan = WRONG_PLANS[options.variant] ?? PLAN;
  }

  stageName({ stage, configuration }: Keeper): string {
    if (stage === 0) return "idle";
    return `${this.#plan[stage - 1] ?? "done"}${configuration ? ` c${configuration}` : ""}`;
  }

  /** Whether it goes on with a configuration that another keeper proposed. */
  tookOver(keeper: Keeper, r: number): boolean {
    const { stage, base, used, configuration } = keeper;
    const proposed = this.#plan[stage - 1] === "accept" && used > 0;
    return proposed && configuration !== this.configurations.successor(base, this.#uniqueBallot(keeper, r));
  }

  /** Whether what was agreed on cannot be finished, though nothing more can happen to hinder it. */
  isStuck(world: ReadmissionWorld): boolean {
    const { configurations } = this;
    const latest = Math.max(...world.primaries.map((primary) => configurations.version(primary.configuration)));
    const agreed = world.keepers.some(({ stage }) => stage > this.#plan.indexOf("accept") + 1);
    const waiting = world.primaries.some((primary) => primary.configuration === NO_CONFIGURATION);
    return waiting && agreed && latest < configurations.versionMax;
  }

  /** A request and its reply are one step: a lost reply does no more than one after which the keeper stops. */
  steps(now: ReadmissionWorld, fork: () => ReadmissionWorld, done: Done, r: number): void {
    this.#beginnings(now, fork, done, r);
    const { stage } = at(now.keepers, r);
    for (let j = 0; j < now.primaries.length; j++) {
      const { reached, target } = at(at(now.primaries, j).visits, r);
      for (let past = 0; past < stage; past++) {
        const name = this.#plan[past];
        const current = past === stage - 1;
        if (name === undefined || (current ? reached === this.#parts(name) : !MAY_BE_LATE.has(name))) continue;
        if (!this.#concerns(name, target === 1)) continue;
        const next = fork();
        const effect = this.#request(name, next, at(next.primaries, j), r);
        if (effect === "refused" || (effect === "nothing new" && !current)) continue;
        if (current) this.#acknowledge(next, j, r);
        done(current ? TEXTS[name] : `${TEXTS[name]}, late`, j, r);
      }
      if (target === 1 && this.#plan[stage - 1] === "mark" && this.#maySkipMark(fork(), j, r)) {
        at(fork().keepers, r).stage++;
        done("{keeper} could not mark {primary}, and goes on", j, r);
      }
    }
  }

  /** It is refused, or its reply is lost: others must be fenced in any case, or nobody could ever go on from there. */
  #maySkipMark(copy: ReadmissionWorld, j: number, r: number): boolean {
    const { variant, marksLost } = this.options;
    if (variant === "the fence waits for the mark") return false;
    return marksLost || this.#mark(copy, at(copy.primaries, j), r) === "refused";
  }

  #concerns(name: StageName, target: boolean): boolean {
    if (target && (name === "prepare" || name === "accept")) return this.options.variant === "an empty primary votes";
    return target === ON_TARGET.has(name);
  }

  /** How many requests a stage is for one primary. */
  #parts(name: StageName): number {
    return name === "read" && this.options.reading !== "at once" ? 2 : 1;
  }

  #beginnings(now: ReadmissionWorld, fork: () => ReadmissionWorld, done: Done, r: number): void {
    const { stage, base, used, configuration } = at(now.keepers, r);
    const { version } = this.configurations;
    const found = new Set(now.primaries.map((primary) => primary.configuration));
    found.delete(NO_CONFIGURATION);
    for (let j = 0; j < now.primaries.length; j++) {
      const primary = at(now.primaries, j);
      if (primary.configuration !== NO_CONFIGURATION) continue;
      const busy = stage > 0 && stage <= this.#plan.length;
      if (primary.marked !== 0 && version(primary.marked) >= version(base) && !(busy && configuration === primary.marked)) {
        this.#begin(fork(), j, r, primary.marked, true);
        done(`{keeper} finds {primary} marked with configuration ${primary.marked}`, j, r);
      }
      for (const one of found) {
        if (version(one) < version(base) || version(one) <= version(primary.marked)) continue;
        if (version(one) === this.configurations.versionMax) continue;
        if (one === base && used >= this.options.ballots) continue;
        this.#begin(fork(), j, r, one, false);
        done(`{keeper} finds {primary} empty, and configuration ${one}`, j, r);
      }
    }
  }

  #begin(world: ReadmissionWorld, target: number, r: number, base: number, finishing: boolean): void {
    const keeper = at(world.keepers, r);
    this.#forget(world, r);
    at(at(world.primaries, target).visits, r).target = 1;
    keeper.used = finishing ? 0 : base === keeper.base ? keeper.used + 1 : 1;
    keeper.base = base;
    keeper.seen = this.#identity(at(world.primaries, target));
    keeper.stage = finishing ? this.#plan.findIndex((name) => name === "fence" || name === "read") + 1 : 1;
    keeper.configuration = finishing || this.options.variant === "no fence" ? base : 0;
    if (this.#plan[keeper.stage - 1] === "fence" && !finishing) this.#propose(world, r);
  }

  #forget(world: ReadmissionWorld, r: number): void {
    const keeper = at(world.keepers, r);
    keeper.best = keeper.seen = keeper.counter = keeper.floor = 0;
    for (const client of world.clients) client.marked &= ~(1 << r);
    for (const { visits } of world.primaries) at(visits, r).target = at(visits, r).reached = 0;
  }

  /** Its own successor: it lists the empty primary as what it is now, and the others as before. */
  #propose(world: ReadmissionWorld, r: number): void {
    const keeper = at(world.keepers, r);
    keeper.configuration = this.configurations.successor(keeper.base, this.#uniqueBallot(keeper, r));
    for (const primary of world.primaries) {
      const { target } = at(primary.visits, r);
      list(primary, keeper.configuration, target ? keeper.seen : listed(primary, keeper.base));
    }
  }

  #acknowledge(world: ReadmissionWorld, j: number, r: number): void {
    const keeper = at(world.keepers, r);
    const name = this.#plan[keeper.stage - 1];
    if (name === undefined) return;
    at(at(world.primaries, j).visits, r).reached++;
    const reached = world.primaries.filter(({ visits }) => at(visits, r).reached === this.#parts(name)).length;
    if (reached < this.#quorum(name)) return;
    for (const { visits } of world.primaries) at(visits, r).reached = 0;
    keeper.stage++;
    if (name === "prepare" && keeper.best === 0) this.#propose(world, r);
    if (name === "prepare") keeper.best = 0;
  }

  #quorum(name: StageName): number {
    const majority = majorityOf(this.options.primaries);
    if (ON_TARGET.has(name)) return 1;
    if (name !== "prepare" && name !== "accept" && this.options.variant === "the wiped primary counts towards the fence")
      return majority - 1;
    return majority;
  }

  #uniqueBallot({ used }: Keeper, r: number): number {
    return (used - 1) * this.options.keepers + r + 1;
  }

  #ballot(keeper: Keeper, r: number): number {
    return this.options.variant === "a ballot used twice" ? 1 : this.#uniqueBallot(keeper, r);
  }
}

type Effect = "done" | "nothing new" | "refused";
