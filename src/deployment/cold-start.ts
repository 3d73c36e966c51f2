import { type Configuration, newEntry, quarantineAfter } from "../algorithms/configuration.js";
import { majorityOf } from "../algorithms/tally.js";
import { PrimaryFailure } from "../redis/failures.js";
import { admit } from "../scripts/configuration-calls.js";
import { runOn } from "./copy-end.js";
import type { ReconcilerDependencies } from "./dependencies.js";
import { type EpochChanges, isEmpty } from "./epoch-changes.js";
import type { ObservedPrimary } from "./prober.js";
import { copyState, leasesEndInMs } from "./state-copy.js";

/** Whether something changed that calls for another observation; else why no primary takes part for now, if worth logging. */
export interface Progress {
  readonly changed: boolean;
  readonly stalled?: string;
}

/**
 * Starts a deployment in which no majority is intact: a first start, or a majority restarted. All primaries are observed and
 * must agree; then each gets what any of them has, and all begin together. Each method is one step.
 */
export class ColdStart {
  constructor(
    private readonly dependencies: ReconcilerDependencies,
    private readonly epochs: EpochChanges,
  ) {}

  /** Agrees on the configuration after `latest`. `known`: the one that this instance used so far. */
  async begin(
    latest: Configuration | null,
    known: Configuration | null,
    observed: readonly ObservedPrimary[],
  ): Promise<Progress> {
    if (observed.some(isEmpty)) return { changed: await this.epochs.initialize(observed) };
    const isFirst = latest === null && known === null;
    const { ids, clock, settings, log } = this.dependencies;
    const version = (latest?.version ?? 0) + 1;
    const next: Configuration = {
      protocol: this.epochs.protocol,
      deployment: latest?.deployment ?? known?.deployment ?? ids.nonce(),
      version,
      nonce: ids.nonce(),
      // Not rounded up: a floor ahead of the clock would be given out again by a cold start a moment later.
      floor: clock.wallMicros(),
      coldQuarantine: isFirst
        ? 0
        : quarantineAfter(latest, observed, majorityOf(observed.length), settings.ttlMaxMs),
      primaries: observed.map((one) => newEntry(one, latest, version, ids.nonce())),
    };
    const agreed = await this.epochs.agree(next, observed, observed.length);
    if (!agreed) return { changed: true, stalled: "waits for all primaries to agree on a cold start" };
    if (!isFirst) {
      log.warn(
        { version: agreed.version, coldQuarantine: agreed.coldQuarantine },
        "a majority of the primaries restarted: what their disks had not kept is gone",
      );
    }
    return this.spread(agreed, observed);
  }

  /** Commits the agreed configuration on all primaries. */
  async spread(agreed: Configuration, observed: readonly ObservedPrimary[]): Promise<Progress> {
    if (observed.some(isEmpty)) return { changed: await this.epochs.initialize(observed) };
    for (const one of observed) await this.epochs.commit(agreed, one, "copying");
    return { changed: true };
  }

  /** All have the configuration and none votes yet: each gets what any of them has, then all begin. */
  async finish(latest: Configuration, observed: readonly ObservedPrimary[]): Promise<Progress> {
    try {
      await this.#copyAndAdmit(latest, observed);
      return { changed: true };
    } catch (error) {
      if (!(error instanceof PrimaryFailure)) throw error;
      const { clock, random } = this.dependencies;
      // Another instance finished it, or a primary was lost again: the next observation shows which.
      await clock.sleep(random() * RETRY_DELAY_MS_MAX);
      const changed = error.kind === "stale_epoch";
      return error.kind === "refused"
        ? { changed, stalled: `the cold start is interrupted: ${error.message}` }
        : { changed };
    }
  }

  async #copyAndAdmit(latest: Configuration, observed: readonly ObservedPrimary[]): Promise<void> {
    const { keys, settings } = this.dependencies;
    const endInMs = await leasesEndInMs(observed, keys, settings.ttlMaxMs);
    const quarantineMs = latest.coldQuarantine === "marks" ? endInMs : (latest.coldQuarantine ?? 0);
    const copying = observed.filter(({ stored }) => stored?.stage === "copying");
    const floors = await Promise.all(copying.map((target) => copyState(observed, target, keys)));
    const floor = Math.max(latest.floor, ...floors);
    for (const one of copying) await runOn(one, admit(latest, one.stored?.id ?? "", floor, quarantineMs));
  }
}

const RETRY_DELAY_MS_MAX = 50;
