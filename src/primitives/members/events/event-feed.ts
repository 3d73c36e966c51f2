import { parsePosition, positionText } from "../../../algorithms/event-position.js";
import { EventWindow, type Place } from "../../../algorithms/event-window.js";
import { compareVersions } from "../../../algorithms/members.js";
import type { Clock } from "../../../clock.js";
import type { Primaries } from "../../../quorum/primaries.js";
import { identityOf, type StoredEvent } from "../../../scripts/event-calls.js";
import { MEMBERS_AT_ONCE_MAX } from "../../../scripts/member-calls.js";
import type { MemberReads } from "../member-reads.js";
import { EventLog } from "./event-log.js";
import type { TailReader } from "./event-tails.js";
import { FeedState, type Snapshot } from "./feed-state.js";

/** What somebody is told at the beginning, and where the events of the log go on from there. */
export interface Start {
  readonly at: number;
  /** Null: there is no place to come back to. */
  readonly position: string | null;
  /** Null: the events that were missed say it all. */
  readonly snapshot: Snapshot | null;
  readonly missed: readonly StoredEvent[];
  /** How often the feed had to begin anew by then: whoever has seen fewer is told so. */
  readonly generation: number;
}

/**
 * The events of one service, for all who watch it here: from the streams of all primaries to one log. The state that it
 * keeps is what its watchers know.
 */
export class EventFeed implements TailReader {
  readonly log: EventLog;
  readonly #window: EventWindow<StoredEvent>;
  #state = new FeedState([]);
  readonly #incarnations: (string | null)[];
  readonly #caughtUp = new Set<number>();
  #begun = false;
  #generation = 0;
  #ended = false;
  #doubtAtMs = 0;
  #ringAtMs = 0;
  /** Rejects with `no_quorum`. */
  readonly ready: Promise<void>;

  constructor(
    readonly service: string,
    private readonly primaries: Primaries,
    private readonly reads: MemberReads,
    private readonly clock: Clock,
  ) {
    this.log = new EventLog(clock);
    this.#window = this.#newWindow();
    this.#incarnations = primaries.all.map(() => null);
    this.ready = clock.sleep(0).then(() => this.#begin());
  }

  /** Nobody watches any more. */
  end(): void {
    this.#ended = true;
    this.log.wake();
  }

  get generation(): number {
    return this.#generation;
  }

  /** `since`: the position that a watcher was told; null: none. */
  start(since: string | null): Start {
    const { log } = this;
    const missed = since === null ? null : this.#window.since(parsePosition(since, this.#incarnations));
    return {
      at: log.end,
      position: this.position,
      snapshot: missed ? null : this.#state.snapshot(),
      missed: missed ?? [],
      generation: this.#generation,
    };
  }

  /** Where somebody is who was told everything so far. */
  get position(): string | null {
    return positionText(this.#window.position());
  }

  history(member: string): readonly { event: StoredEvent; atMs: number }[] {
    return this.#window.history(member);
  }

  restarted(primary: number, incarnation: string): void {
    this.#window.restart(primary, incarnation);
    this.#incarnations[primary] = incarnation;
    this.#caughtUp.delete(primary);
    // Too few places are left to say what was missed.
    if (this.#begun && this.#caughtUp.size < this.primaries.majority) void this.#beginAnew();
  }

  noted(primary: number, read: readonly { place: Place; event: StoredEvent | null }[]): void {
    this.#window.note(primary, read, this.clock.monotonicMs());
  }

  caughtUp(primary: number): void {
    this.#caughtUp.add(primary);
    if (!this.#begun) return;
    this.#tell();
    void this.#resolveDoubts();
  }

  /** What has happened before anybody watches: read, and not told. */
  async #begin(): Promise<void> {
    await this.#untilCaughtUp();
    const readAtMs = this.clock.monotonicMs();
    const records = await this.reads.live(this.service, await this.reads.ids(this.service));
    this.#window.begin(records, readAtMs);
    this.#state = new FeedState(records);
    this.#begun = true;
    this.#tell();
  }

  /** All primaries that take part, or a majority of them when the others are slow. */
  async #untilCaughtUp(): Promise<void> {
    const { all, majority } = this.primaries;
    const startedMs = this.clock.monotonicMs();
    for (;;) {
      const elapsedMs = this.clock.monotonicMs() - startedMs;
      const isWhole = all.every(({ up }, index) => !up || this.#caughtUp.has(index));
      if (this.#caughtUp.size >= majority && (isWhole || elapsedMs > SLOW_MS)) return;
      if (elapsedMs > BEGIN_MS_MAX) throw this.primaries.noQuorum();
      await this.clock.sleep(LOOK_INTERVAL_MS);
    }
  }

  /** After too many primaries have forgotten at once: every watcher begins anew with a snapshot. */
  async #beginAnew(): Promise<void> {
    this.#begun = false;
    while (!this.#ended) {
      try {
        await this.#begin();
        break;
      } catch {
        // Until a majority answer, nothing can be told.
        await this.clock.sleep(BEGIN_AGAIN_MS);
      }
    }
    this.#generation += 1;
    this.log.wake();
  }

  #tell(): void {
    const nowMs = this.clock.monotonicMs();
    for (let next = this.#window.next(nowMs); next; next = this.#window.next(nowMs)) {
      const { event, isKnown } = next;
      this.#state.apply(event);
      this.log.push({ kind: event.kind, event, isKnown, position: this.position });
    }
    // A ring of thousands is not named anew at every change: watchers are told the latest.
    if (!this.#state.mayHaveNewRing || nowMs - this.#ringAtMs < RING_INTERVAL_MS) return;
    this.#ringAtMs = nowMs;
    const ringId = this.#state.newRingId();
    if (ringId !== null) this.log.push({ kind: "ring-changed", ringId });
  }

  /**
   * Events that no majority hold for long: of registrations that failed, or where a primary stored again what the others have
   * had for long. The records say what became of them, and this read repairs primaries that are behind, which makes an event
   * there.
   */
  async #resolveDoubts(): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    if (nowMs < this.#doubtAtMs) return;
    const doubtful = this.#window.doubtful(nowMs - DOUBT_AFTER_MS).slice(0, MEMBERS_AT_ONCE_MAX);
    if (doubtful.length === 0) return;
    this.#doubtAtMs = nowMs + DOUBT_INTERVAL_MS;
    const ids = [...new Set(doubtful.map(({ id }) => id))];
    const known = await this.reads.records(this.service, ids, "all", "all").catch(() => null);
    if (!known) return;
    const looked = new Set(ids.slice(0, known.lookedAt));
    const merged = new Map(known.merged.map((one) => [one.record.id, one]));
    const replies = this.primaries.all.length - known.unanswered;
    for (const event of doubtful) {
      if (!looked.has(event.id)) continue;
      const found = merged.get(event.id);
      const order = found ? compareVersions(event, found.record) : -1;
      const isSame = found !== undefined && identityOf(found.record) === event.identity;
      const isHeld = isSame && replies - found.staleAt.length >= this.primaries.majority;
      if (isHeld) this.#window.settle(event, "held", nowMs);
      else if (order < 0 || (order === 0 && !isSame)) this.#window.settle(event, "void", nowMs);
    }
  }

  #newWindow(): EventWindow<StoredEvent> {
    return new EventWindow(this.primaries.all.length, this.primaries.majority);
  }
}

/** How long a primary that answers is waited for. */
const SLOW_MS = 300;
const BEGIN_MS_MAX = 1_500;
const BEGIN_AGAIN_MS = 500;
const LOOK_INTERVAL_MS = 5;
const DOUBT_AFTER_MS = 500;
const DOUBT_INTERVAL_MS = 1_000;
const RING_INTERVAL_MS = 100;
