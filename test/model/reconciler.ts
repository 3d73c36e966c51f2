/**
 * One who readmits a primary. Any number may do so at once, and each may stop after any step, for another to finish:
 *
 *   begin      learn the identity of the empty primary, and the configuration of some other
 *   prepare    with a ballot, on a majority of N that have exactly that configuration
 *   accept     the successor that was accepted under the highest ballot, else one of its own, on such a majority
 *   mark       the empty primary with the agreed successor, if it still is the one that this lists; else go on
 *   fence      put the successor on a majority of N: from then on they refuse what belongs to the old one
 *   read       counters, and then floors, from a majority of N that have exactly the successor
 *   copy       them to the empty primary, while its mark is there
 *   configure  it, under the same condition: it takes part from now on
 *
 * A reconciler that finds the empty primary marked already begins with the fence; one that finds it not marked, with a
 * successor of its own, even if the configuration lists it: it may have taken part since, and have been wiped again.
 */
import { majorityOf } from "../../src/algorithms/tally.js";
import { type Configurations, list, listed, NO_CONFIGURATION } from "./configurations.js";
import type { Done } from "./explore.js";
import { identity, ReconcilerRequests, type StageName, uniqueBallot } from "./reconciler-requests.js";
import type {
  Reconciler,
  ReadmissionOptions,
  ReadmissionVariant,
  ReadmissionWorld,
} from "./readmission-world.js";
import { at } from "./world.js";

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
  prepare: "{primary} promises {reconciler} its ballot",
  accept: "{primary} accepts the configuration of {reconciler}",
  mark: "{reconciler} marks {primary}",
  fence: "{reconciler} fences {primary}",
  read: "{reconciler} reads {primary}",
  copy: "{reconciler} copies to {primary}",
  configure: "{reconciler} readmits {primary}",
};

/** A reconciler's `stage` is the place of what it does in its plan, + 1; beyond the plan it is done. */
export class Reconcilers {
  readonly #plan: readonly StageName[];
  readonly #requests: ReconcilerRequests;

  constructor(
    private readonly options: ReadmissionOptions,
    private readonly configurations: Configurations,
  ) {
    const plan = WRONG_PLANS[options.variant] ?? PLAN;
    const agreed: readonly StageName[] = options.agreement === "in one step" ? ["prepare", "accept"] : [];
    this.#plan = plan.filter((name) => !agreed.includes(name));
    this.#requests = new ReconcilerRequests(options, configurations, (world, version) =>
      this.#drop(world, version),
    );
  }

  stageName({ stage, configuration }: Reconciler): string {
    if (stage === 0) return "idle";
    return `${this.#plan[stage - 1] ?? "done"}${configuration ? ` c${configuration}` : ""}`;
  }

  /** Whether it goes on with a configuration that another reconciler proposed. */
  tookOver(reconciler: Reconciler, r: number): boolean {
    const { stage, base, used, configuration } = reconciler;
    const proposed = this.#plan[stage - 1] === "accept" && used > 0;
    const own = this.configurations.successor(base, uniqueBallot(reconciler, r, this.options));
    return proposed && configuration !== own;
  }

  /** Whether what was agreed on cannot be finished, though nothing more can happen to hinder it. */
  isStuck(world: ReadmissionWorld): boolean {
    const { version, versionMax } = this.configurations;
    const latest = Math.max(...world.primaries.map(({ configuration }) => version(configuration)));
    const agreed = world.reconcilers.some(({ stage }) => stage > this.#plan.indexOf("accept") + 1);
    const waiting = world.primaries.some(({ configuration }) => configuration === NO_CONFIGURATION);
    return waiting && agreed && latest < versionMax;
  }

  /** A request and its reply are one step: a lost reply does no more than one after which the reconciler stops. */
  steps(now: ReadmissionWorld, fork: () => ReadmissionWorld, done: Done, r: number): void {
    this.#beginnings(now, fork, done, r);
    const { stage } = at(now.reconcilers, r);
    for (let j = 0; j < now.primaries.length; j++) {
      const { reached, target } = at(at(now.primaries, j).visits, r);
      for (let past = 0; past < stage; past++) {
        const name = this.#plan[past];
        const current = past === stage - 1;
        if (name === undefined || (current ? reached === this.#parts(name) : !MAY_BE_LATE.has(name)))
          continue;
        if (!this.#concerns(name, target === 1)) continue;
        const next = fork();
        const effect = this.#requests.run(name, next, at(next.primaries, j), r);
        if (effect === "refused" || (effect === "nothing new" && !current)) continue;
        if (current) this.#acknowledge(next, j, r);
        done(current ? TEXTS[name] : `${TEXTS[name]}, late`, j, r);
      }
      if (target === 1 && this.#plan[stage - 1] === "mark" && this.#maySkipMark(fork(), j, r)) {
        at(fork().reconcilers, r).stage++;
        done("{reconciler} could not mark {primary}, and goes on", j, r);
      }
    }
  }

  /** It is refused, or its reply is lost: others must be fenced in any case, or nobody could ever go on from there. */
  #maySkipMark(copy: ReadmissionWorld, j: number, r: number): boolean {
    const { variant, marksLost } = this.options;
    if (variant === "the fence waits for the mark") return false;
    return marksLost || this.#requests.run("mark", copy, at(copy.primaries, j), r) === "refused";
  }

  #concerns(name: StageName, target: boolean): boolean {
    const vote = name === "prepare" || name === "accept";
    if (vote && target) return this.options.variant === "an empty primary votes";
    return target === ON_TARGET.has(name);
  }

  /** How many requests a stage is for one primary. */
  #parts(name: StageName): number {
    return name === "read" && this.options.reading !== "at once" ? 2 : 1;
  }

  #quorum(name: StageName): number {
    const majority = majorityOf(this.options.primaries);
    if (ON_TARGET.has(name)) return 1;
    const vote = name === "prepare" || name === "accept";
    return !vote && this.options.variant === "the wiped primary counts towards the fence"
      ? majority - 1
      : majority;
  }

  #beginnings(now: ReadmissionWorld, fork: () => ReadmissionWorld, done: Done, r: number): void {
    const { stage, base, used, configuration } = at(now.reconcilers, r);
    const { version, versionMax } = this.configurations;
    const busy = stage > 0 && stage <= this.#plan.length;
    const all = now.primaries.map((primary) => primary.configuration);
    if (!all.includes(NO_CONFIGURATION)) return;
    const found = all.filter((one, j) => one !== NO_CONFIGURATION && all.indexOf(one) === j);
    for (let j = 0; j < now.primaries.length; j++) {
      const { configuration: theirs, marked } = at(now.primaries, j);
      if (theirs !== NO_CONFIGURATION) continue;
      if (marked !== 0 && version(marked) >= version(base) && !(busy && configuration === marked)) {
        this.#begin(fork(), j, r, marked, true);
        done(`{reconciler} finds {primary} marked with configuration ${marked}`, j, r);
      }
      for (const one of found) {
        if (version(one) < version(base) || version(one) <= version(marked) || version(one) === versionMax)
          continue;
        if (one === base && used >= this.options.ballots) continue;
        if (this.options.agreement === "in one step" && !this.#haveMajority(all, one)) continue;
        this.#begin(fork(), j, r, one, false);
        done(`{reconciler} finds {primary} empty, and configuration ${one}`, j, r);
      }
    }
  }

  #haveMajority(all: readonly number[], configuration: number): boolean {
    return all.filter((one) => one === configuration).length >= majorityOf(this.options.primaries);
  }

  #begin(world: ReadmissionWorld, target: number, r: number, base: number, finishing: boolean): void {
    const reconciler = at(world.reconcilers, r);
    const afterTheMark = this.#plan.findIndex((name) => name === "fence" || name === "read");
    this.#forget(world, r);
    at(at(world.primaries, target).visits, r).target = 1;
    reconciler.used = finishing ? 0 : base === reconciler.base ? reconciler.used + 1 : 1;
    reconciler.base = base;
    reconciler.seen = identity(at(world.primaries, target), this.options);
    reconciler.stage = finishing ? afterTheMark + 1 : 1;
    reconciler.configuration = finishing || this.options.variant === "no fence" ? base : 0;
    if (reconciler.configuration !== 0 || this.#plan[0] === "prepare") return;
    const name = this.configurations.nextNamed(base);
    const agreed = this.options.agreement === "in one step" ? world.shared[name] : 0;
    if (agreed === 0) this.#propose(world, r);
    else reconciler.configuration = agreed;
    if (this.options.agreement === "in one step") world.shared[name] = reconciler.configuration;
  }

  /** Its own successor: it lists the empty primary as what it was seen to be, and the others as before. */
  #propose(world: ReadmissionWorld, r: number): void {
    const reconciler = at(world.reconcilers, r);
    reconciler.configuration = this.configurations.successor(reconciler.base, uniqueBallot(reconciler, r, this.options));
    for (const primary of world.primaries) {
      const { target } = at(primary.visits, r);
      list(primary, reconciler.configuration, target ? reconciler.seen : listed(primary, reconciler.base));
    }
  }

  #acknowledge(world: ReadmissionWorld, j: number, r: number): void {
    const reconciler = at(world.reconcilers, r);
    const name = this.#plan[reconciler.stage - 1];
    if (name === undefined) return;
    at(at(world.primaries, j).visits, r).reached++;
    const reached = world.primaries.filter(
      ({ visits }) => at(visits, r).reached === this.#parts(name),
    ).length;
    if (reached < this.#quorum(name)) return;
    for (const { visits } of world.primaries) at(visits, r).reached = 0;
    reconciler.stage++;
    if (name === "prepare" && reconciler.best === 0) this.#propose(world, r);
    if (name === "prepare") reconciler.best = 0;
  }

  #forget(world: ReadmissionWorld, r: number): void {
    const reconciler = at(world.reconcilers, r);
    reconciler.best = reconciler.seen = reconciler.counter = reconciler.floor = 0;
    for (const client of world.clients) client.seenBy &= ~(1 << r);
    for (const { visits } of world.primaries) at(visits, r).target = at(visits, r).reached = 0;
  }

  /** When a majority have left for `version`, makes one of states that differ in what can have no effect any more. */
  #drop(world: ReadmissionWorld, version: number): void {
    const before = (configuration: number) => this.configurations.version(configuration) < version;
    // Nobody can win a ballot any more for the successor of what a majority have left.
    for (const primary of world.primaries)
      if (before(primary.configuration)) primary.promised = primary.accepted = primary.value = 0;
    world.reconcilers.forEach((reconciler, r) => {
      const name = this.#plan[reconciler.stage - 1];
      const target = world.primaries.find(({ visits }) => at(visits, r).target === 1);
      if (name === "prepare" || name === "accept") {
        if (!before(reconciler.base)) return;
        reconciler.stage = reconciler.configuration = 0;
      } else if (target !== undefined && target.configuration !== NO_CONFIGURATION) {
        reconciler.stage = this.#plan.length + 1;
      } else return;
      this.#forget(world, r);
    });
  }
}
