import { PrimaryFailure } from "../redis/failures.js";
import type { Primary } from "../redis/primary.js";
import type { ReconcilerDependencies } from "./dependencies.js";
import { parseInfo, readObservation, refusalOf, type ServerObservation } from "./observation.js";

/** One primary as it was observed, and its epochs then: every call is refused once they have passed. */
export interface ObservedPrimary extends ServerObservation {
  readonly primary: Primary;
  readonly connectionEpoch: number;
}

/** Observes primaries; excludes servers that cannot be one, and warns about those that keep nothing on disk. */
export class Prober {
  readonly #warned = new Set<Primary>();

  constructor(
    private readonly dependencies: Pick<ReconcilerDependencies, "keys" | "ids" | "settings" | "log">,
  ) {}

  /** Observes the primary; null if it does not answer or cannot be a primary. */
  async probe(primary: Primary): Promise<ObservedPrimary | null> {
    const { keys, settings } = this.dependencies;
    const { connectionEpoch, address } = primary;
    if (connectionEpoch === null) return null;
    try {
      const info = parseInfo(String(await primary.command(connectionEpoch, "INFO")));
      const refusal = refusalOf(info, settings.embedded);
      if (refusal) {
        primary.exclude(refusal.state, refusal.reason);
        return null;
      }
      const [stored, time] = await Promise.all([
        primary.command(connectionEpoch, "HGETALL", keys.configuration),
        primary.command(connectionEpoch, "TIME"),
      ]);
      const probe = readObservation(address, info, stored as string[], time as string[]);
      this.#warnOfNoPersistence(primary, probe);
      return { ...probe, primary, connectionEpoch };
    } catch (error) {
      if (!(error instanceof PrimaryFailure))
        primary.exclude("misconfigured", `what it stores of the configuration cannot be read: ${error}`);
      else if (error.kind === "refused")
        primary.exclude("misconfigured", `it refuses to answer: ${error.message}`);
      return null;
    }
  }

  /**
   * Gives an empty primary a configuration epoch of its own, which is lost with its data. Otherwise a command under way
   * would be accepted even if the primary was flushed again on the same connection.
   */
  async initializeEpoch({ primary, connectionEpoch }: ObservedPrimary): Promise<void> {
    const { keys, ids } = this.dependencies;
    await primary.command(connectionEpoch, "HSETNX", keys.configuration, "stamp", `empty:${ids.nonce()}`);
  }

  /** Tests whether a member accepts writes, with a write that changes nothing: the member has an epoch already. */
  async tryToWrite(member: ObservedPrimary): Promise<void> {
    try {
      await this.initializeEpoch(member);
      member.primary.acceptsWrites(member.connectionEpoch);
    } catch {
      // The primary object has already recorded the reply.
    }
  }

  #warnOfNoPersistence(primary: Primary, probe: ServerObservation): void {
    const { settings, log } = this.dependencies;
    if (probe.persistent || settings.embedded || this.#warned.has(primary)) return;
    this.#warned.add(primary);
    log.warn(
      { primary: primary.address },
      "no append-only file: a restart forgets everything here; one primary at a time is copied from the others, but when a majority restart together everything but the order of tokens is lost (CONFIG SET appendonly yes)",
    );
  }
}

/** Why these cannot be primaries of one deployment: two URLs lead to the same server. */
export function sameServerTwice(observed: readonly (ObservedPrimary | null)[]): string | null {
  const byRun = new Map<string, ObservedPrimary>();
  for (const one of observed) {
    if (!one) continue;
    const other = byRun.get(one.runId);
    if (other) return `${other.address} and ${one.address} are one and the same server`;
    byRun.set(one.runId, one);
  }
  return null;
}
