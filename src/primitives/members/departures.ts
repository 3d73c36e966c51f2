import { CoordinationError } from "../../errors.js";
import type { Ids } from "../../ids.js";
import { TOMBSTONE_MARGIN_MS } from "../../scripts/member-calls.js";
import type { MemberEvent } from "../../scripts/member-event.js";
import type { MemberChanges } from "./member-changes.js";
import { superseded } from "./member-failures.js";
import type { MemberRecords } from "./member-records.js";

/** How a member leaves. */
export interface Leaving {
  /** Only this incarnation, and no later one. */
  readonly incarnation?: number | undefined;
  /** For how long its place is kept, ms; missing: it is not. */
  readonly restartGraceMs?: number | undefined;
}

/** Ends members, for good or until their next registration. */
export class Departures {
  constructor(
    private readonly records: MemberRecords,
    private readonly changes: MemberChanges,
    private readonly ids: Pick<Ids, "nonce">,
    private readonly ttlMaxMs: number,
  ) {}

  /** Whether it was a member until now, with this incarnation if one is named. Throws `superseded` and `no_quorum`. */
  async leave(service: string, id: string, { incarnation, restartGraceMs }: Leaving): Promise<boolean> {
    for (;;) {
      let known = await this.records.find(service, id);
      // A primary that does not answer may still have it, from a heartbeat that reached no other.
      if (!known.record) known = await this.records.find(service, id, "all");
      const { record, lapsed, unanswered, isLive } = known;
      if (record && incarnation !== undefined && record.incarnation > incarnation) throw superseded(id);
      // None any more; but a guard that begins now would keep it.
      const isMeant =
        restartGraceMs === undefined && (incarnation ?? lapsed?.incarnation) === lapsed?.incarnation;
      const ending = record ?? (isMeant ? lapsed : undefined);
      if (record ? !isLive : unanswered === 0 && !ending) return false;
      // Another process, which is to stay.
      if (record && record.incarnation < (incarnation ?? 0)) return false;
      if (record && restartGraceMs !== undefined) {
        if (await this.#keepPlace(service, id, restartGraceMs, incarnation)) return true;
        continue;
      }
      const leaving =
        ending ?? (await this.records.next(service, id, known, this.ttlMaxMs, null, LEFT, this.ids.nonce()));
      if (!leaving) continue;
      // The tombstone outlives every live record of this incarnation that a primary may still have.
      const expiresInMs = Math.max(leaving.ttlMs, leaving.expiresInMs) + TOMBSTONE_MARGIN_MS;
      if (await this.records.put(service, { ...leaving, left: true, expiresInMs, event: LEFT }))
        return record !== undefined;
    }
  }

  /** Whether it was still a member. */
  async #keepPlace(service: string, id: string, graceMs: number, incarnation?: number): Promise<boolean> {
    try {
      await this.changes.restart(service, id, graceMs, incarnation);
      return true;
    } catch (error) {
      if (error instanceof CoordinationError && error.code === "unknown_member") return false;
      throw error;
    }
  }
}

const LEFT: MemberEvent = { kind: "left", why: "left" };
