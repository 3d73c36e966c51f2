import { ballotAbove } from "../algorithms/ballot.js";
import { type Configuration, entryOf } from "../algorithms/configuration.js";
import type { Primary } from "../redis/primary.js";
import { admit, prepare } from "../scripts/configuration-calls.js";
import { runOn } from "./copy-end.js";
import type { ReconcilerDependencies } from "./dependencies.js";
import type { EpochChanges } from "./epoch-changes.js";
import type { Obstacles } from "./obstacles.js";
import type { ObservedPrimary } from "./prober.js";
import { leasesEndInMs } from "./quarantine.js";
import { copyState } from "./state-copy.js";

/**
 * Takes in primaries that may have forgotten: changes the configuration, so that nothing from before fits them (the
 * fence); copies to them what the members have; admits them, in quarantine for as long as leases that they forgot may last.
 */
export class Readmission {
  readonly #copying = new Set<Primary>();
  #closed = false;

  constructor(
    private readonly dependencies: ReconcilerDependencies,
    private readonly epochs: EpochChanges,
    private readonly obstacles: Obstacles,
    /** Called when a copy ended, and nothing that lasts keeps the primary from taking part. */
    private readonly ended: () => void,
  ) {}

  close(): void {
    this.#closed = true;
  }

  /** Changes the configuration for `lost`, if any can be written to. `copying`: others that are being readmitted. */
  async fence(
    current: Configuration,
    members: readonly ObservedPrimary[],
    lost: readonly ObservedPrimary[],
    copying: readonly ObservedPrimary[],
    majority: number,
  ): Promise<boolean> {
    if (await this.epochs.initialize(lost)) return true;
    const able = await this.#thoseThatWrite(lost, current.version + 1);
    if (able.length === 0) return false;
    const agreed = await this.epochs.agree(this.#nextFor(current, able), members, majority);
    if (!agreed) return false;
    // The targets of the copy come first: another instance that observes in between then helps, and begins no cold start.
    for (const one of [...able, ...copying]) await this.epochs.commit(agreed, one, "copying");
    for (const one of members) {
      // What was agreed on may be the proposal of another instance, which knows that this member forgot as well.
      const forgot = entryOf(agreed, one)?.admitted === agreed.version;
      await this.epochs.commit(agreed, one, forgot ? "copying" : "member");
    }
    return true;
  }

  /** Copies and admits, in the background: it may take long. The sources are fenced, and a majority. */
  begin(current: Configuration, sources: readonly ObservedPrimary[], target: ObservedPrimary): void {
    const { primary } = target;
    const id = entryOf(current, target)?.id;
    if (!id || this.#copying.has(primary)) return;
    this.#copying.add(primary);
    this.#copyAndAdmit(current, id, sources, target)
      .catch((error) => this.obstacles.note(primary, error))
      .finally(() => {
        this.#copying.delete(primary);
        // An obstacle may last: then the next observation is soon enough.
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
    // Asked once all sources are fenced: later leases do not count on this primary's memory.
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
   * Those that can be written to, tried by a promise that binds nobody. For one that cannot, the configuration must not
   * change again and again: each change interrupts everybody.
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
