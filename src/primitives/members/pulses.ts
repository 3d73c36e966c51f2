import type { Merged } from "../../algorithms/members.js";
import type { Clock } from "../../clock.js";
import { CoordinationError } from "../../errors.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { Keys } from "../../scripts/keys.js";
import type { Heartbeat, MemberRecord, Pulse } from "../../scripts/member-calls.js";
import { Heartbeats } from "./heartbeats.js";
import type { MemberChanges } from "./member-changes.js";
import { superseded, unknownMember, wrongMemberKey } from "./member-failures.js";
import { liveRecordOf, type MemberReads } from "./member-reads.js";
import type { MemberRecords } from "./member-records.js";
import type { RingIds } from "./ring-ids.js";

/** A member that its heartbeat kept alive. */
export interface Alive extends Pulse {
  /** Of its service, as this instance saw it lately; null: it does not know yet. */
  readonly ringId: string | null;
}

export type HeartbeatOutcome = Alive | { readonly error: CoordinationError };

/**
 * What becomes of heartbeats: most find their member on a majority. Of the others the records are read, a service at a time; a
 * member that is still alive on some primary is restored on all, and any other heartbeat fails by itself.
 */
export class Pulses {
  readonly #heartbeats: Heartbeats;

  constructor(
    primaries: Primaries,
    keys: Keys,
    clock: Clock,
    private readonly reads: Pick<MemberReads, "records">,
    private readonly records: Pick<MemberRecords, "put">,
    private readonly changes: Pick<MemberChanges, "outlive">,
    private readonly ringIds: Pick<RingIds, "recent">,
  ) {
    this.#heartbeats = new Heartbeats(primaries, keys, clock);
  }

  /** In the order of the heartbeats. */
  async of(heartbeats: readonly Heartbeat[]): Promise<readonly HeartbeatOutcome[]> {
    const beaten = await this.#heartbeats.send(heartbeats);
    const revived = await this.#revive(
      heartbeats.filter((_, index) => {
        const outcome = beaten[index];
        return outcome && "pulse" in outcome && outcome.pulse === null;
      }),
    );
    return heartbeats.map((heartbeat, index) => {
      const outcome = beaten[index];
      if (!outcome || "error" in outcome) return { error: known(outcome?.error) };
      const pulse = outcome.pulse ?? revived.get(heartbeat);
      if (!pulse || "error" in pulse) return { error: known(pulse?.error) };
      const { incarnation, revision, ttlMs } = pulse;
      return { incarnation, revision, ttlMs, ringId: this.ringIds.recent(heartbeat.service) };
    });
  }

  /** Restores the members that some primaries lack, if they are still alive on others. */
  async #revive(heartbeats: readonly Heartbeat[]): Promise<ReadonlyMap<Heartbeat, Pulse | Failed>> {
    const revived = new Map<Heartbeat, Pulse | Failed>();
    let rest = heartbeats;
    while (rest.length > 0) {
      const service = rest[0]?.service as string;
      const ofService = rest.filter((one) => one.service === service);
      rest = rest.filter((one) => one.service !== service);
      for (let at = 0; at < ofService.length; at += TOGETHER_MAX) {
        const together = ofService.slice(at, at + TOGETHER_MAX);
        const outcomes = await this.#reviveTogether(service, together);
        for (const [index, outcome] of outcomes.entries()) revived.set(together[index] as Heartbeat, outcome);
      }
    }
    return revived;
  }

  async #reviveTogether(
    service: string,
    heartbeats: readonly Heartbeat[],
  ): Promise<readonly (Pulse | Failed)[]> {
    try {
      const ids = [...new Set(heartbeats.map(({ id }) => id))];
      const { merged } = await this.reads.records(service, ids);
      const found = new Map(merged.map((one) => [one.record.id, one]));
      return await Promise.all(
        heartbeats.map((one) =>
          this.#reviveOne(one, found.get(one.id)).catch((error: unknown) => ({ error })),
        ),
      );
    } catch (error) {
      return heartbeats.map(() => ({ error }));
    }
  }

  async #reviveOne(
    { service, id, incarnation, nonce }: Heartbeat,
    known: Merged<MemberRecord> | undefined,
  ): Promise<Pulse> {
    const record = known?.record;
    if (record && incarnation !== undefined && record.incarnation > incarnation) throw superseded(id);
    const live = known && liveRecordOf(known);
    if (!live || live.incarnation < (incarnation ?? 0)) throw unknownMember(service, id);
    if (nonce !== undefined && nonce !== live.nonce) throw wrongMemberKey(id);
    const renewed = { ...live, expiresInMs: live.ttlMs, heartbeatAgeMs: 0 };
    if (!known.isDisputed && (await this.records.put(service, renewed))) return live;
    return this.changes.outlive(service, id, incarnation);
  }
}

interface Failed {
  readonly error: unknown;
}

/** A mistake in this program is none of a single heartbeat. */
function known(error: unknown): CoordinationError {
  if (error instanceof CoordinationError) return error;
  throw error;
}

/** Members that are read by one script, and restored at once: some 0.5 ms of a primary's time. */
const TOGETHER_MAX = 50;
