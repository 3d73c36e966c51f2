import type { Merged } from "../../algorithms/members.js";
import type { Clock } from "../../clock.js";
import { CoordinationError } from "../../errors.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { BoundTo } from "../../scripts/bound-calls.js";
import type { Keys } from "../../scripts/keys.js";
import type { Heartbeat, MemberRecord, Pulse } from "../../scripts/member-calls.js";
import type { BoundLeases, BoundOutcome, Listed, MayUse } from "../leases/bound-leases.js";
import { SharedReads } from "../reads/shared-reads.js";
import { Heartbeats } from "./heartbeats.js";
import type { MemberChanges } from "./member-changes.js";
import { superseded, tooManyInBatch, unknownMember, wrongMemberKey } from "./member-failures.js";
import { liveRecordOf, type MemberReads } from "./member-reads.js";
import type { MemberRecords } from "./member-records.js";
import type { RingIds } from "./ring-ids.js";

/** A member that its heartbeat kept alive. */
export interface Alive extends Pulse {
  /** Of its service, as this instance saw it lately; null: it does not know yet. */
  readonly ringId: string | null;
  /** What became of the leases that are bound to it; missing: the heartbeat did not name its nonce. */
  readonly leases?: BoundOutcome;
}

export type HeartbeatOutcome = Alive | { readonly error: CoordinationError };

/**
 * What becomes of heartbeats: most find their member on a majority. Of the others the records are read, a service at a time; a
 * member that is still alive on some primary is restored on all, and any other heartbeat fails by itself.
 */
export class Pulses {
  readonly #heartbeats: Heartbeats;
  /** Each raises a revision, which is told to all who watch: once for all heartbeats that come before it. */
  readonly #outliving: SharedReads<Pulse>;

  constructor(
    primaries: Primaries,
    keys: Keys,
    clock: Clock,
    private readonly reads: Pick<MemberReads, "records">,
    private readonly records: Pick<MemberRecords, "put">,
    private readonly changes: Pick<MemberChanges, "outlive">,
    private readonly ringIds: Pick<RingIds, "recent">,
    private readonly bound: Pick<BoundLeases, "listed" | "renew">,
  ) {
    this.#heartbeats = new Heartbeats(primaries, keys, clock);
    this.#outliving = new SharedReads(clock, TOGETHER_MAX);
  }

  /** In the order of the heartbeats. `mayUse`: which leases their caller may renew. */
  async of(
    heartbeats: readonly Heartbeat[],
    mayUse: MayUse = () => true,
  ): Promise<readonly HeartbeatOutcome[]> {
    const beaten = await this.#heartbeats.send(heartbeats);
    const revived = await this.#revive(
      heartbeats.filter((_, index) => {
        const outcome = beaten[index];
        return outcome && "pulse" in outcome && outcome.pulse === null;
      }),
    );
    const withLeases: Heartbeat[] = [];
    const outcomes = heartbeats.map((heartbeat, index): HeartbeatOutcome => {
      const outcome = beaten[index];
      if (!outcome || "error" in outcome) return { error: known(outcome?.error) };
      const pulse = outcome.pulse ?? revived.get(heartbeat);
      if (!pulse || "error" in pulse) return { error: known(pulse?.error) };
      const { incarnation, revision, ttlMs } = pulse;
      const alive = { incarnation, revision, ttlMs, ringId: this.ringIds.recent(heartbeat.service) };
      if (heartbeat.nonce === undefined) return alive;
      // Nobody has looked for a member that was restored.
      if (!("hasLeases" in pulse) || pulse.hasLeases) withLeases.push(heartbeat);
      return { ...alive, leases: NO_LEASES };
    });
    if (withLeases.length === 0) return outcomes;
    const renewed = await this.#renewLeases(withLeases, mayUse);
    return outcomes.map((alive, index) => {
      const leases = renewed.get(heartbeats[index] as Heartbeat);
      if (!leases) return alive;
      return "error" in leases ? leases : { ...alive, leases };
    });
  }

  /** Those of several members, as many as one request may have. */
  async #renewLeases(
    heartbeats: readonly Heartbeat[],
    mayUse: MayUse,
  ): Promise<ReadonlyMap<Heartbeat, BoundOutcome | { readonly error: CoordinationError }>> {
    const renewed = new Map<Heartbeat, BoundOutcome | { readonly error: CoordinationError }>();
    let most = LEASES_MAX;
    for (let at = 0; at < heartbeats.length; at += LISTED_TOGETHER_MAX) {
      const together = heartbeats.slice(at, at + LISTED_TOGETHER_MAX);
      await Promise.all(
        together.map(async (one) => {
          const member = boundTo(one);
          const listed = await this.#listed(member);
          if (!listed) return;
          most -= listed.leases.length;
          if (most < 0) renewed.set(one, { error: tooManyInBatch(LEASES_MAX) });
          else renewed.set(one, await this.bound.renew(member, listed, mayUse));
        }),
      );
    }
    return renewed;
  }

  /** Null: nobody can tell now which they are. */
  async #listed(member: BoundTo): Promise<Listed | null> {
    try {
      return await this.bound.listed(member);
    } catch (error) {
      if (known(error).code === "no_quorum") return null;
      throw error;
    }
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
    return this.#outliving.read(`${service}/${id}/${incarnation ?? ""}`, () =>
      this.changes.outlive(service, id, incarnation),
    );
  }
}

function boundTo({ service, id, incarnation = 0, nonce = "" }: Heartbeat): BoundTo {
  return { service, id, incarnation, nonce };
}

interface Failed {
  readonly error: unknown;
}

/** A mistake in this program is none of a single heartbeat. */
function known(error: unknown): CoordinationError {
  if (error instanceof CoordinationError) return error;
  throw error;
}

const NO_LEASES: BoundOutcome = Object.freeze({ held: [], lost: [] });
/** Leases that one request renews. */
const LEASES_MAX = 4_096;
/** Members whose lists are read at once, and their leases renewed: a millisecond of each primary's time for the lists. */
const LISTED_TOGETHER_MAX = 16;
/** Members that are read by one script, and restored at once: some 0.5 ms of a primary's time. */
const TOGETHER_MAX = 50;
