/** What a primary does when a reconciler asks it to: each request is one script, which checks and writes at once. */
import { majorityOf } from "../../src/algorithms/tally.js";
import { type Configurations, FIRST, listed, NO_CONFIGURATION } from "./configurations.js";
import type { Reconciler, Primary, ReadmissionOptions, ReadmissionWorld } from "./readmission-world.js";
import { at } from "./world.js";

export type StageName = "prepare" | "accept" | "mark" | "fence" | "read" | "copy" | "configure";
export type Effect = "done" | "nothing new" | "refused";

type Request = (world: ReadmissionWorld, primary: Primary, reconciler: Reconciler, r: number) => Effect;

export class ReconcilerRequests {
  readonly #requests: Record<StageName, Request> = {
    prepare: (_, primary, reconciler, r) => this.#prepare(primary, reconciler, r),
    accept: (_, primary, reconciler, r) => this.#accept(primary, reconciler, r),
    mark: (_, primary, reconciler) => this.#mark(primary, reconciler),
    fence: (world, primary, reconciler) => this.#fence(world, primary, reconciler),
    read: (world, primary, reconciler, r) => this.#read(world, primary, reconciler, r),
    copy: (_, primary, reconciler) => this.#copy(primary, reconciler),
    configure: (world, primary, reconciler, r) => this.#configure(world, primary, reconciler, r),
  };

  /** `leftFor` is told when a majority have come to a version. */
  constructor(
    private readonly options: ReadmissionOptions,
    private readonly configurations: Configurations,
    private readonly leftFor: (world: ReadmissionWorld, version: number) => void,
  ) {}

  /** Refused: nothing was changed. */
  run(name: StageName, world: ReadmissionWorld, primary: Primary, r: number): Effect {
    return this.#requests[name](world, primary, at(world.reconcilers, r), r);
  }

  #prepare(primary: Primary, reconciler: Reconciler, r: number): Effect {
    const ballot = this.#ballot(reconciler, r);
    const free = this.options.variant === "a ballot used twice" ? ballot : ballot - 1;
    if (!this.#votes(primary, reconciler) || primary.promised > free) return "refused";
    primary.promised = ballot;
    if (primary.accepted > reconciler.best) {
      reconciler.best = primary.accepted;
      reconciler.configuration = primary.value;
    }
    return "done";
  }

  #accept(primary: Primary, reconciler: Reconciler, r: number): Effect {
    const ballot = this.#ballot(reconciler, r);
    if (reconciler.used === 0 || !this.#votes(primary, reconciler) || primary.promised > ballot) return "refused";
    if (primary.accepted === ballot && primary.value === reconciler.configuration) return "nothing new";
    primary.promised = primary.accepted = ballot;
    primary.value = reconciler.configuration;
    return "done";
  }

  /** Whose promises may be lost must not make any: who is empty does not vote, whatever it had before. */
  #votes(primary: Primary, reconciler: Reconciler): boolean {
    if (primary.configuration === reconciler.base) return true;
    return this.options.variant === "an empty primary votes" && primary.configuration === NO_CONFIGURATION;
  }

  #ballot(reconciler: Reconciler, r: number): number {
    return this.options.variant === "a ballot used twice" ? 1 : uniqueBallot(reconciler, r, this.options);
  }

  #mark(primary: Primary, reconciler: Reconciler): Effect {
    if (isMarked(primary, reconciler)) return "nothing new";
    const { version } = this.configurations;
    const { configuration, seen } = reconciler;
    if (primary.configuration !== NO_CONFIGURATION || version(primary.marked) >= version(configuration))
      return "refused";
    const isListed = this.options.variant === "no fence" || listed(primary, configuration) === seen;
    if (!isListed || identity(primary, this.options) !== seen) return "refused";
    primary.marked = configuration;
    return "done";
  }

  #fence(world: ReadmissionWorld, primary: Primary, { configuration }: Reconciler): Effect {
    const { version } = this.configurations;
    if (this.configurations.same(primary.configuration, configuration)) return "nothing new";
    if (primary.configuration === NO_CONFIGURATION) return "refused";
    if (version(primary.configuration) >= version(configuration)) return "refused";
    this.#install(world, primary, configuration);
    return "done";
  }

  #read(world: ReadmissionWorld, primary: Primary, reconciler: Reconciler, r: number): Effect {
    const { variant, reading } = this.options;
    const fenced = this.configurations.same(primary.configuration, reconciler.configuration);
    if (primary.configuration === NO_CONFIGURATION || !(fenced || variant === "copied before the fence"))
      return "refused";
    const first = at(primary.visits, r).reached === 0;
    const countersNow = reading === "at once" || first === (variant !== "floors read before counters");
    const floorNow = reading === "at once" || first === (variant === "floors read before counters");
    if (countersNow) reconciler.counter = Math.max(reconciler.counter, primary.counter);
    if (floorNow && variant !== "counters copied without floors")
      reconciler.floor = Math.max(reconciler.floor, primary.floor);
    world.clients.forEach((client, i) => {
      if (at(primary.links, i).granted) client.seenBy |= 1 << r;
    });
    return "done";
  }

  #copy(primary: Primary, reconciler: Reconciler): Effect {
    if (!isMarked(primary, reconciler)) return "refused";
    primary.counter = Math.max(primary.counter, reconciler.counter);
    primary.floor = Math.max(primary.floor, reconciler.floor);
    return "done";
  }

  #configure(world: ReadmissionWorld, primary: Primary, reconciler: Reconciler, r: number): Effect {
    if (!isMarked(primary, reconciler)) return "refused";
    const { variant } = this.options;
    world.clients.forEach((client, i) => {
      const link = at(primary.links, i);
      const seen = (client.seenBy >> r) & 1;
      if (variant !== "no quarantine") link.waits = seen;
      // It vouches for what it forgot, too: another primary may forget before that lease is over.
      if (variant !== "the quarantine is not handed on") link.granted = seen;
    });
    this.#install(world, primary, reconciler.configuration);
    return "done";
  }

  #install(world: ReadmissionWorld, primary: Primary, configuration: number): void {
    primary.configuration = configuration;
    primary.marked = primary.promised = primary.accepted = primary.value = 0;
    const { version } = this.configurations;
    this.#note(world, configuration);
    // A primary never goes back, so what is under way for an older version will be refused: it is forgotten.
    world.clients.forEach((client, i) => {
      const link = at(primary.links, i);
      if (version(client.configuration) < version(configuration)) link.acquires = link.raises = 0;
    });
    const come = world.primaries.filter((one) => version(one.configuration) >= version(configuration)).length;
    if (come >= majorityOf(this.options.primaries)) this.leftFor(world, version(configuration));
  }

  #note({ shared }: ReadmissionWorld, configuration: number): void {
    if (configuration === FIRST) return;
    const name = this.configurations.version(configuration) === 2 ? "second" : "third";
    if (shared[name] !== 0 && shared[name] !== configuration) shared.split = 1;
    shared[name] = configuration;
  }
}

/** The mark goes with the data, so it says that nothing was lost since, too. */
function isMarked(primary: Primary, { configuration }: Reconciler): boolean {
  return primary.configuration === NO_CONFIGURATION && primary.marked === configuration;
}

/** What is written to an empty primary when it is found goes with its data; a process may lose its data and live on. */
export function identity({ incarnation }: Primary, { variant }: ReadmissionOptions): number {
  return variant === "a primary is known by its process" ? Math.min(incarnation, 1) : incarnation;
}

export function uniqueBallot({ used }: Reconciler, r: number, { reconcilers }: ReadmissionOptions): number {
  return (used - 1) * reconcilers + r + 1;
}
