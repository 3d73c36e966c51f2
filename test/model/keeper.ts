/**
 * One who readmits a primary. Any number may do so at once, and each may stop after any step, for another to finish:
 *
 *   begin      learn the identity of the empty primary, and the configuration of some other
 *   prepare    with a ballot, on a majority of N that have exactly that configuration
 *   accept     the successor that was accepted under the highest ballot, else one of its own, on such a majority
 *   mark       the empty primary with the agreed successor, if it still is the one that this lists
 *   fence      put the successor on a majority of N: from then on they refuse what belongs to the old one
 *   read       counters, and then floors, from a majority of N that have exactly the successor
 *   copy       them to the empty primary, while its mark is there
 *   configure  it, under the same condition: it takes part from now on
 *
 * A keeper that finds the empty primary marked already begins with the fence.
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
    }
  }

  #concerns(name: StageName, target: boolean): boolean {
    if (target && (name === "prepare" || name === "accept")) return this.options.variant === "an empty primary votes";
    return target === ON_TARGET.has(name);
  }

  /** With counters that drop into floors, a primary is read in two steps. */
  #parts(name: StageName): number {
    return name === "read" && this.options.drops > 0 ? 2 : 1;
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

  #request(name: StageName, world: ReadmissionWorld, primary: Primary, r: number): Effect {
    switch (name) {
      case "prepare":
        return this.#prepare(world, primary, r);
      case "accept":
        return this.#accept(world, primary, r);
      case "mark":
        return this.#mark(world, primary, r);
      case "fence":
        return this.#fence(world, primary, r);
      case "read":
        return this.#read(world, primary, r);
      case "copy":
        return this.#copy(world, primary, r);
      case "configure":
        return this.#configure(world, primary, r);
    }
  }

  #prepare(world: ReadmissionWorld, primary: Primary, r: number): Effect {
    const keeper = at(world.keepers, r);
    const ballot = this.#ballot(keeper, r);
    const twice = this.options.variant === "a ballot used twice";
    if (!this.#votes(primary, keeper) || primary.promised > ballot || (primary.promised === ballot && !twice))
      return "refused";
    primary.promised = ballot;
    if (primary.accepted > keeper.best) {
      keeper.best = primary.accepted;
      keeper.configuration = primary.value;
    }
    return "done";
  }

  #accept(world: ReadmissionWorld, primary: Primary, r: number): Effect {
    const keeper = at(world.keepers, r);
    const ballot = this.#ballot(keeper, r);
    if (keeper.used === 0 || !this.#votes(primary, keeper) || primary.promised > ballot) return "refused";
    if (primary.accepted === ballot && primary.value === keeper.configuration) return "nothing new";
    primary.promised = primary.accepted = ballot;
    primary.value = keeper.configuration;
    return "done";
  }

  /** Whoever has something to lose by it, its promises among it, must know that it did not lose it. */
  #votes(primary: Primary, keeper: Keeper): boolean {
    if (primary.configuration === keeper.base) return true;
    return this.options.variant === "an empty primary votes" && primary.configuration === NO_CONFIGURATION;
  }

  #fence(world: ReadmissionWorld, primary: Primary, r: number): Effect {
    const { configuration } = at(world.keepers, r);
    if (this.configurations.same(primary.configuration, configuration)) return "nothing new";
    if (primary.configuration === NO_CONFIGURATION) return "refused";
    if (this.configurations.version(primary.configuration) >= this.configurations.version(configuration)) return "refused";
    this.#install(world, primary, configuration);
    return "done";
  }

  #read(world: ReadmissionWorld, primary: Primary, r: number): Effect {
    const keeper = at(world.keepers, r);
    const { variant } = this.options;
    if (primary.configuration === NO_CONFIGURATION) return "refused";
    const fenced = this.configurations.same(primary.configuration, keeper.configuration);
    if (!fenced && variant !== "copied before the fence") return "refused";
    const part = this.#parts("read") === 1 ? "both" : at(primary.visits, r).reached === 0 ? "first" : "second";
    const counters = part === (variant === "floors read before counters" ? "second" : "first");
    if (part === "both" || counters) keeper.counter = Math.max(keeper.counter, this.#counterToCopy(primary));
    if ((part === "both" || !counters) && variant !== "counters copied without floors")
      keeper.floor = Math.max(keeper.floor, primary.floor);
    world.clients.forEach((client, i) => {
      if (at(primary.links, i).mark) client.marked |= 1 << r;
    });
    return "done";
  }

  #counterToCopy(primary: Primary): number {
    switch (this.options.variant) {
      case "counters copied without floors":
      case "counters copied for what they count":
      case "floors read before counters":
        return primary.counter;
      default:
        return eff(primary);
    }
  }

  #copy(world: ReadmissionWorld, primary: Primary, r: number): Effect {
    const keeper = at(world.keepers, r);
    if (!this.#isMarked(primary, keeper)) return "refused";
    primary.counter = Math.max(primary.counter, keeper.counter);
    primary.floor = Math.max(primary.floor, keeper.floor);
    return "done";
  }

  #configure(world: ReadmissionWorld, primary: Primary, r: number): Effect {
    const keeper = at(world.keepers, r);
    if (!this.#isMarked(primary, keeper)) return "refused";
    if (this.options.variant !== "no quarantine")
      primary.links.forEach((link, i) => {
        link.waits = (at(world.clients, i).marked >> r) & 1;
      });
    this.#install(world, primary, keeper.configuration);
    return "done";
  }

  #mark(world: ReadmissionWorld, primary: Primary, r: number): Effect {
    const { configuration, seen } = at(world.keepers, r);
    if (this.#isMarked(primary, { configuration })) return "nothing new";
    const { version } = this.configurations;
    if (primary.configuration !== NO_CONFIGURATION || version(primary.marked) >= version(configuration)) return "refused";
    if (this.#identity(primary) !== seen) return "refused";
    if (this.options.variant !== "no fence" && listed(primary, configuration) !== seen) return "refused";
    primary.marked = configuration;
    return "done";
  }

  /** Checked by the primary itself, with what it then writes. A mark goes with the data. */
  #isMarked(primary: Primary, { configuration }: Pick<Keeper, "configuration">): boolean {
    return primary.configuration === NO_CONFIGURATION && primary.marked === configuration;
  }

  #install(world: ReadmissionWorld, primary: Primary, configuration: number): void {
    primary.configuration = configuration;
    primary.marked = 0;
    primary.promised = primary.accepted = primary.value = 0;
    const version = this.configurations.version(configuration);
    const { shared } = world;
    if (version === 2) {
      if (shared.second !== 0 && shared.second !== configuration) shared.split = 1;
      shared.second = configuration;
    } else if (version === 3) {
      if (shared.third !== 0 && shared.third !== configuration) shared.split = 1;
      shared.third = configuration;
    }
    this.#forgetWhatIsOver(world, primary);
  }

  /** States that differ only in what can have no effect any more are made one. */
  #forgetWhatIsOver(world: ReadmissionWorld, primary: Primary): void {
    // A primary never goes back, so it will refuse what is under way for an older version.
    const version = this.configurations.version(primary.configuration);
    world.clients.forEach((client, i) => {
      if (this.configurations.version(client.configuration) >= version) return;
      const link = at(primary.links, i);
      link.acquires = link.raises = 0;
    });
    // Nobody can win a ballot any more when a majority have left the configuration that it was to follow.
    const left = world.primaries.filter((one) => this.configurations.version(one.configuration) >= version).length;
    if (left < majorityOf(this.options.primaries)) return;
    for (const one of world.primaries)
      if (this.configurations.version(one.configuration) < version) one.promised = one.accepted = one.value = 0;
    world.keepers.forEach((keeper, r) => {
      const name = this.#plan[keeper.stage - 1];
      const readmitted = primary === world.primaries.find(({ visits }) => at(visits, r).target === 1);
      if (name === "prepare" || name === "accept") {
        if (this.configurations.version(keeper.base) >= version) return;
        keeper.stage = keeper.configuration = 0;
      } else if (readmitted) keeper.stage = this.#plan.length + 1;
      else return;
      this.#forget(world, r);
    });
  }

  /** An id that a keeper writes to an empty primary goes with its data; a process may lose its data and live on. */
  #identity({ incarnation }: Primary): number {
    return this.options.variant === "a primary is known by its process" ? Math.min(incarnation, 1) : incarnation;
  }

  #uniqueBallot({ used }: Keeper, r: number): number {
    return (used - 1) * this.options.keepers + r + 1;
  }

  #ballot(keeper: Keeper, r: number): number {
    return this.options.variant === "a ballot used twice" ? 1 : this.#uniqueBallot(keeper, r);
  }
}

type Effect = "done" | "nothing new" | "refused";
