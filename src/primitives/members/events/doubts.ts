import { compareVersions } from "../../../algorithms/event-version.js";
import type { EventWindow } from "../../../algorithms/event-window.js";
import type { Clock } from "../../../clock.js";
import type { Primaries } from "../../../quorum/primaries.js";
import { eventOf, type StoredEvent } from "../../../scripts/event-calls.js";
import { MEMBERS_AT_ONCE_MAX } from "../../../scripts/member-calls.js";
import type { MemberReads } from "../member-reads.js";

/**
 * Events that no majority hold for long: of registrations that failed, or where a primary stored again what the others have had
 * for long. The records say what became of them, and the read of these repairs primaries that are behind, which makes an
 * event there.
 */
export class Doubts {
  #nextMs = 0;

  constructor(
    private readonly service: string,
    private readonly window: EventWindow<StoredEvent>,
    private readonly primaries: Primaries,
    private readonly reads: Pick<MemberReads, "records">,
    private readonly clock: Clock,
  ) {}

  async resolve(): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    if (nowMs < this.#nextMs) return;
    const doubtful = this.window.doubtful(nowMs - DOUBT_AFTER_MS).slice(0, MEMBERS_AT_ONCE_MAX);
    if (doubtful.length === 0) return;
    this.#nextMs = nowMs + DOUBT_INTERVAL_MS;
    const ids = [...new Set(doubtful.map(({ id }) => id))];
    const known = await this.reads.records(this.service, ids, "all", "all").catch(() => null);
    if (!known) return;
    const looked = new Set(ids.slice(0, known.lookedAt));
    const merged = new Map(known.merged.map((one) => [one.record.id, one]));
    const replies = this.primaries.all.length - known.unanswered;
    for (const event of doubtful) {
      if (!looked.has(event.id)) continue;
      const found = merged.get(event.id);
      const now = found && eventOf(found.record);
      const isSame = now?.identity === event.identity;
      const isHeld = isSame && replies - (found?.staleAt.length ?? 0) >= this.primaries.majority;
      const order = now ? compareVersions(event, now) : -1;
      // A majority say how it ended: a change that reached fewer before that was not made.
      const isOver = found?.state === "expired" && event.incarnation <= found.record.incarnation;
      if (isHeld) this.window.settle(event, "held", nowMs);
      else if (isOver || order < 0 || (order === 0 && !isSame)) this.window.settle(event, "void", nowMs);
    }
  }
}

const DOUBT_AFTER_MS = 500;
const DOUBT_INTERVAL_MS = 1_000;
