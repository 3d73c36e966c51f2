import { ballotAbove } from "../algorithms/ballot.js";
import { type Configuration, entryOf } from "../algorithms/configuration.js";
import type { Primary } from "../redis/primary.js";
import { admit, prepare } from "../scripts/configuration-calls.js";
import { runOn } from "./copy-end.js";
import type { ReconcilerDependencies } from "./dependencies.js";
import type { EpochChanges } from "./epoch-changes.js";
import type { Obstacles } from "./obstacles.js";
import type { ObservedPrimary } from "./prober.js";
import { copyState, leasesEndInMs } from "./state-copy.js";

/**
 * Readmits primaries that may have lost data: changes the configuration, so that they refuse every older call (the fence);
 * copies to them what the members have; and admits them, in quarantine for as long as leases that they forgot may last.
 */
export class Readmission {
  readonly #copying = new Set<Primary>();
  #closed = false;

  constructor(
    private readonly dependencies: ReconcilerDependencies,
    private readonly epochs: EpochChanges,
    private readonly obstacles: Obstacles,
    /** Called when a copy ended and no lasting obstacle keeps the primary from taking part. */
    private readonly ended: () => void,
  ) {}

  close(): void {
    this.#closed = true;
  }

  /**
   * Changes the configuration for those of `lost` that accept writes, if any, and where its protocol is to be raised.
   * `copying`: others being readmitted already. Returns whether it changed.
   */
  async fence(
    current: Configuration,
    members: readonly ObservedPrimary[],
    lost: readonly ObservedPrimary[],
    copying: readonly ObservedPrimary[],
    majority: number,
  ): Promise<boolean> {
    if (await this.epochs.initialize(lost)) return true;
    const able = await this.#thoseThatWrite(lost, current.version + 1);
    const { protocol } = this.epochs;
    if (able.length === 0 && current.protocol === protocol) return false;
    const agreed = await this.epochs.agree(this.#nextFor(current, able), members, majority);
    if (!agreed) return false;
    if (agreed.protocol !== current.protocol) {
      const { version, protocol } = agreed;
      this.dependencies.log.info(
        { version, protocol },
        "the protocol is raised: earlier versions of Quorate take no part",
      );
    }
    // The targets of the copy come first: an instance that observes in between then helps, and does not begin a cold start.
    for (const one of [...able, ...copying]) await this.epochs.commit(agreed, one, "copying");
    for (const one of members) {
      // The agreed configuration may be another instance's proposal, which knows that this member lost its data as well.
      const forgot = entryOf(agreed, one)?.admitted === agreed.version;
      await this.epochs.commit(agreed, one, forgot ? "copying" : "member");
    }
    return true;
  }

  /** Copies and admits in the background, since it may take long. The sources are fenced and form a majority. */
  begin(current: Configuration, sources: readonly ObservedPrimary[], target: ObservedPrimary): void {
    const { primary } = target;
    const id = entryOf(current, target)?.id;
    if (!id || this.#copying.has(primary)) return;
    this.#copying.add(primary);
    this.#copyAndAdmit(current, id, sources, target)
      .catch((error) => this.obstacles.note(primary, error))
      .finally(() => {
        this.#copying.delete(primary);
        // If there is an obstacle, it may last, and the next regular observation is soon enough.
        if (!this.#closed && !this.obstacles.has(primary)) this.ended();
      });
  }

  async #copyAndAdmit(
    current: Configuration,
    id: string,
    sources: readonly ObservedPrimary[],
    target: ObservedPrimary,
  ): Promise<void> {
    const { keys, clock, settings, log } = this.dependencies;
    const startedMs = clock.monotonicMs();
    // Asked only once all sources are fenced: later leases do not rely on this primary's memory.
    const endInMs = await leasesEndInMs(sources, keys, settings.ttlMaxMs);
    const askedMs = clock.monotonicMs();
    const floor = await copyState(sources, target, keys);
    const quarantineMs = Math.max(0, endInMs - (clock.monotonicMs() - askedMs));
    await runOn(target, admit(current, id, floor, quarantineMs));
    this.obstacles.clear(target.primary);
    const ms = Math.round(clock.monotonicMs() - startedMs);
    log.info(
      { primary: target.primary.address, ms, quarantineMs: Math.ceil(quarantineMs) },
      "primary is readmitted",
    );
  }

  /**
   * Those that accept writes, tested with a promise that has no effect. The configuration must not change again and again
   * for a primary that refuses them: each change interrupts every instance.
   */
  async #thoseThatWrite(lost: readonly ObservedPrimary[], version: number): Promise<ObservedPrimary[]> {
    const { keys, ids } = this.dependencies;
    const able = await Promise.all(
      lost.map(async (one) => {
        try {
          await runOn(one, prepare(keys.agreement(version), ballotAbove(null, ids.hexNonce())));
          return [one];
        } catch (error) {
          this.obstacles.note(one.primary, error);
          return [];
        }
      }),
    );
    return able.flat();
  }

  #nextFor(current: Configuration, back: readonly ObservedPrimary[]): Configuration {
    const version = current.version + 1;
    return {
      ...current,
      protocol: this.epochs.protocol,
      version,
      nonce: this.dependencies.ids.nonce(),
      coldQuarantine: null,
      primaries: current.primaries.map((entry) => {
        const observed = back.find((one) => entryOf(current, one)?.id === entry.id);
        if (!observed) return entry;
        const { address, runId, replid } = observed;
        return { ...entry, address, runId, replid, admitted: version };
      }),
    };
  }
}
