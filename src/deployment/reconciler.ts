import {
  type Configuration,
  entryOf,
  type Judgement,
  judge,
  type Step,
} from "../algorithms/configuration.js";
import { fencedOutIn } from "../algorithms/fenced-out.js";
import { majorityOf } from "../algorithms/tally.js";
import type { Clock } from "../clock.js";
import type { Primary } from "../redis/primary.js";
import { ColdStart, type Progress } from "./cold-start.js";
import type { ReconcilerDependencies } from "./dependencies.js";
import { EpochChanges } from "./epoch-changes.js";
import { Housekeeping } from "./housekeeping.js";
import { Obstacles } from "./obstacles.js";
import { type ObservedPrimary, Prober, sameServerTwice } from "./prober.js";
import { Readmission } from "./readmission.js";
import { Refusal } from "./refusal.js";

/**
 * Keeps this instance and the primaries in one configuration (docs/architecture.md). It observes all primaries every second,
 * and whenever one answers again or contradicts this instance; judges what it observed (algorithms/configuration.ts); and
 * takes the next step. Each step is safe at any time, from any number of instances at once, and may be left half-done: the next
 * observation shows what is missing.
 */
export class Reconciler {
  #current: Configuration | null = null;
  /** The primaries that took part when they were last judged. */
  #members: readonly ObservedPrimary[] = [];
  #round: Promise<void> | null = null;
  #again = false;
  #fencesOut = false;
  #closed = false;
  readonly #startedMs: number;
  readonly #majority: number;
  readonly #refusal: Refusal;
  readonly #prober: Prober;
  readonly #obstacles: Obstacles;
  readonly #epochs: EpochChanges;
  readonly #coldStart: ColdStart;
  readonly #readmission: Readmission;
  readonly #housekeeping: Housekeeping;

  constructor(
    private readonly primaries: readonly Primary[],
    private readonly dependencies: ReconcilerDependencies,
  ) {
    this.#startedMs = dependencies.clock.monotonicMs();
    this.#majority = majorityOf(primaries.length);
    this.#refusal = new Refusal(dependencies.log);
    this.#prober = new Prober(dependencies);
    this.#obstacles = new Obstacles(dependencies.log);
    this.#epochs = new EpochChanges(dependencies, this.#prober, this.#obstacles);
    this.#coldStart = new ColdStart(dependencies, this.#epochs);
    this.#readmission = new Readmission(
      dependencies,
      this.#epochs,
      this.#obstacles,
      () => void this.refresh(),
    );
    this.#housekeeping = new Housekeeping(dependencies, WATCH_INTERVAL_MS);
    void this.#watch();
  }

  /** The version of the configuration in use by this instance; null before the first. */
  get version(): number | null {
    return this.#current?.version ?? null;
  }

  get deployment(): string | null {
    return this.#current?.deployment ?? null;
  }

  /** As far as this instance knows. */
  get floor(): number {
    return this.#current?.floor ?? 0;
  }

  /** Why this instance takes no part until a later version replaces it; null: it may. */
  get outdated(): string | null {
    return this.#refusal.outdated;
  }

  /** Observes anew. Resolves once an observation that began after this call has led to every step that it can. */
  refresh(): Promise<void> {
    this.#again = true;
    this.#round ??= this.#rounds()
      .catch((error) =>
        this.dependencies.log.warn({ reason: String(error) }, "reconciling the primaries failed"),
      )
      .finally(() => {
        this.#round = null;
      });
    return this.#round;
  }

  /**
   * The same for a request. False if it takes too long: a cold start copies everything, and no request must wait for
   * that.
   */
  catchUp(): Promise<boolean> {
    return endsWithin(this.dependencies.clock, CATCH_UP_MS_MAX, this.refresh());
  }

  readonly fencedOut = (configuration: string): number => fencedOutIn(this.#current, configuration);

  /** If a majority are there and none is being readmitted. */
  fenceOutAbsent(): Promise<void> {
    this.#fencesOut = true;
    return this.refresh();
  }

  close(): void {
    this.#closed = true;
    this.#readmission.close();
    this.#housekeeping.close();
  }

  async #watch(): Promise<void> {
    while (!this.#closed) {
      await this.dependencies.clock.sleep(WATCH_INTERVAL_MS);
      if (this.#closed || this.primaries.every(({ connectionEpoch }) => connectionEpoch === null)) continue;
      await this.refresh();
      this.#housekeeping.run(this.#members);
    }
  }

  async #rounds(): Promise<void> {
    for (let step = 0; this.#again && step < STEPS_MAX && !this.#closed; step++) {
      this.#again = false;
      const observed = await Promise.all(this.primaries.map((primary) => this.#prober.probe(primary)));
      const judgement = judgementOf(observed, this.#majority, this.#epochs.protocol);
      if (judgement.kind !== "current") this.#members = [];
      const { changed, stalled } = await this.#act(judgement, observed);
      if (stalled) this.#stall(observed, stalled);
      // A step that changed something is followed by another observation.
      if (changed) this.#again = true;
    }
  }

  /** Takes the next step. */
  async #act(judgement: Judgement, observed: readonly (ObservedPrimary | null)[]): Promise<Progress> {
    if (judgement.kind === "refuse" || judgement.kind === "outdated") {
      this.#refusal.begin(judgement, all(observed));
      return { changed: false };
    }
    this.#refusal.end();
    switch (judgement.kind) {
      case "current":
        return this.#follow(judgement.current, judgement.steps, observed);
      case "cold":
        return this.#coldStart.begin(judgement.latest, this.#current, all(observed));
      case "spread_cold":
        return this.#coldStart.spread(judgement.latest, all(observed));
      case "finish_cold":
        return this.#coldStart.finish(judgement.latest, all(observed));
      case "wait":
        return { changed: false, stalled: "waits for more primaries to begin a cold start with" };
    }
  }

  /** A majority is intact in `current`: its members take part, and the others catch up. */
  async #follow(
    current: Configuration,
    steps: readonly Step[],
    observed: readonly (ObservedPrimary | null)[],
  ): Promise<Progress> {
    const doing = (step: Step) => all(observed.filter((_, index) => steps[index] === step));
    const members = doing("member");
    const isOlder = current.protocol < this.#epochs.protocol;
    // What this instance stores must not be met by one that does not know of it: the protocol is raised first.
    if (!isOlder) {
      this.#adopt(current);
      for (const member of members) this.#admit(current, member);
    }
    for (const { primary } of doing("foreign")) primary.exclude("misconfigured", FOREIGN);
    for (const { primary } of doing("other_deployment")) primary.exclude("misconfigured", OTHER_DEPLOYMENT);
    const behind = doing("catch_up");
    for (const one of behind) await this.#epochs.commit(current, one, "member");
    if (behind.length > 0) return { changed: true };

    this.#members = members;
    const [lost, copying] = [doing("readmit"), doing("copy")];
    for (const { primary } of [...lost, ...copying]) this.#obstacles.exclude(primary);
    // Copies only from primaries that are fenced, and only if these are a majority.
    if (members.length < this.#majority) return { changed: false };
    if (!isOlder) for (const target of copying) this.#readmission.begin(current, members, target);
    const fencesOut = this.#fencesOut && !isOlder && members.length === all(observed).length;
    this.#fencesOut = false;
    if (fencesOut && (await this.#epochs.fenceOut(current, members, this.#majority)))
      return { changed: true };
    const changed = await this.#readmission.fence(current, members, lost, copying, this.#majority);
    return isOlder && !changed ? { changed, stalled: RAISING } : { changed };
  }

  /** This instance uses that configuration from now on. */
  #adopt(current: Configuration): void {
    const { version, protocol, nonce, deployment } = current;
    this.#refusal.endForGood();
    if (this.#current?.nonce === nonce) return;
    this.dependencies.log.info({ version, protocol }, "configuration is in force");
    if (this.#current && this.#current.deployment !== deployment)
      this.dependencies.log.warn({ version }, ALL_FORGOT);
    this.#current = current;
    this.dependencies.onAdopted?.(version);
  }

  #admit(current: Configuration, member: ObservedPrimary): void {
    const { primary, connectionEpoch, configurationEpoch, quarantineMs } = member;
    const runId = this.dependencies.settings.embedded ? "" : member.runId;
    const entry = entryOf(current, member);
    const incarnation = `${entry?.id}:${entry?.admitted}`;
    primary.admit(connectionEpoch, { configurationEpoch, incarnation, runId, quarantineMs });
    this.#obstacles.clear(primary);
    void this.#prober.tryToWrite(member);
  }

  /** No primary takes part for now. */
  #stall(observed: readonly (ObservedPrimary | null)[], reason: string): void {
    // Connecting and agreeing take some time at the start: no reason to warn.
    if (this.dependencies.clock.monotonicMs() - this.#startedMs < WATCH_INTERVAL_MS) return;
    for (const { primary } of all(observed)) primary.exclude("readmitting", reason);
  }
}

function judgementOf(
  observed: readonly (ObservedPrimary | null)[],
  majority: number,
  protocol: number,
): Judgement {
  const mistake = sameServerTwice(observed);
  return mistake ? { kind: "refuse", reason: mistake } : judge(observed, majority, protocol);
}

/** Whether the work ends within this time. */
function endsWithin(clock: Clock, ms: number, work: Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, () => resolve(false));
    void work.then(() => {
      cancel();
      resolve(true);
    });
  });
}

/** The primaries that were observed: in a cold start all of them, as `judge` promises. */
function all(observed: readonly (ObservedPrimary | null)[]): ObservedPrimary[] {
  return observed.filter((one) => one !== null);
}

const FOREIGN = "it is empty, and its address is not in the configuration of this deployment";
const OTHER_DEPLOYMENT =
  "it belongs to another deployment: is it the right server? One that is to join must be empty";
const ALL_FORGOT =
  "all primaries forgot, and an instance that knew of nothing began anew: leases from before are not waited for";
const RAISING = "waits for a majority to agree on the protocol of this version of Quorate";
const WATCH_INTERVAL_MS = 1_000;
/** A change of the configuration takes some round trips; whatever takes longer is a cold start. */
const CATCH_UP_MS_MAX = 1_000;
const STEPS_MAX = 20;
