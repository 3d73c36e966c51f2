import { parsePosition, positionText } from "../../../algorithms/event-position.js";
import { EventWindow, type Place } from "../../../algorithms/event-window.js";
import type { Clock } from "../../../clock.js";
import type { Primaries } from "../../../quorum/primaries.js";
import { eventOf, type StoredEvent } from "../../../scripts/event-calls.js";
import type { Membership } from "../membership.js";
import type { DoubtfulMembers } from "./doubtful-members.js";
import { Doubts } from "./doubts.js";
import { EventLog } from "./event-log.js";
import type { TailReader } from "./event-tails.js";
import { FeedState, type Snapshot } from "./feed-state.js";
import { FeedSuspects } from "./feed-suspects.js";

/** What somebody is told at the beginning, and where the events of the log go on from there. */
export interface Start {
  readonly at: number;
  /** Null: there is no place to come back to. */
  readonly position: string | null;
  /** Null: the events that were missed say it all. */
  readonly snapshot: Snapshot | null;
  readonly missed: readonly StoredEvent[];
  /** Who is suspect now, whatever was missed, and the events that told of it. */
  readonly suspects: readonly string[];
  readonly suspected: readonly StoredEvent[];
  readonly ringId: string;
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
  readonly #doubts: Doubts;
  readonly #suspects: FeedSuspects;
  #state = new FeedState([]);
  readonly #streams: (string | null)[];
  readonly #caughtUp = new Set<number>();
  #begun = false;
  #generation = 0;
  #ended = false;
  #ringAtMs = 0;
  /** Rejects with `no_quorum`. */
  readonly ready: Promise<void>;

  constructor(
    readonly service: string,
    private readonly primaries: Primaries,
    private readonly members: Pick<Membership, "reads" | "suspicions">,
    doubtful: DoubtfulMembers,
    private readonly clock: Clock,
  ) {
    this.log = new EventLog(clock);
    this.#window = new EventWindow(primaries.all.length, primaries.majority);
    this.#doubts = new Doubts(service, this.#window, primaries, members.reads, clock);
    this.#suspects = new FeedSuspects(service, members.suspicions, doubtful, clock, {
      eventOf: (id) => this.#state.eventOf(id),
      ids: () => this.#state.ids(),
      disputed: () =>
        this.#window.doubtful(clock.monotonicMs()).flatMap(({ id, expired }) => (expired ? id : [])),
      mark: (event) => this.#state.mark(event),
      tell: (event) => this.#tellSuspect(event),
    });
    this.#streams = primaries.all.map(() => null);
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
    const missed = since === null ? null : this.#window.since(parsePosition(since, this.#streams));
    return {
      at: log.end,
      position: this.position,
      snapshot: missed ? null : this.#state.snapshot(),
      missed: missed ?? [],
      suspects: this.#state.suspects(),
      suspected: this.#suspects.now(),
      ringId: this.#state.snapshot().ringId,
      generation: this.#generation,
    };
  }

  /** Where somebody is who was told everything so far. */
  get position(): string | null {
    return positionText(this.#window.position());
  }

  restarted(primary: number, incarnation: string): void {
    // A place in the stream of another service says nothing about this one.
    const stream = `${incarnation} ${this.service}`;
    this.#window.restart(primary, stream);
    this.#streams[primary] = stream;
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
    void this.#doubts.resolve();
    this.#suspects.look();
  }

  /** What has happened before anybody watches: read, and not told. */
  async #begin(): Promise<void> {
    await this.#untilCaughtUp();
    const readAtMs = this.clock.monotonicMs();
    const { reads } = this.members;
    const live = await reads.live(this.service, await reads.ids(this.service));
    const events = live.map(eventOf);
    this.#window.begin(events, readAtMs);
    this.#state = new FeedState(events);
    await this.#suspects.begin(live);
    await this.#untilRead();
    this.#begun = true;
    this.#tell();
  }

  /** Whoever comes back hears what made the members as they are, before it hears how they are now. */
  async #untilRead(): Promise<void> {
    this.#caughtUp.clear();
    await this.#untilCaughtUp();
    const startedMs = this.clock.monotonicMs();
    while (this.#window.isBehind && this.clock.monotonicMs() - startedMs < SLOW_MS)
      await this.clock.sleep(LOOK_INTERVAL_MS);
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
      const { isKnown } = next;
      const event = this.#suspects.judged(next.event);
      if (!isKnown) this.#state.apply(event);
      this.log.push({ kind: event.kind, event, isKnown, position: this.position });
    }
    // A ring of thousands is not named anew at every change: watchers are told the latest.
    if (!this.#state.mayHaveNewRing || nowMs - this.#ringAtMs < RING_INTERVAL_MS) return;
    this.#ringAtMs = nowMs;
    const ringId = this.#state.newRingId();
    if (ringId !== null) this.log.push({ kind: "ring-changed", ringId });
  }

  /** What is no event of a primary has no position. */
  #tellSuspect(event: StoredEvent): void {
    this.#state.mark(event);
    this.log.push({ kind: event.kind, event, isKnown: false, position: null });
  }
}

/** How long a primary that answers is waited for. */
const SLOW_MS = 300;
const BEGIN_MS_MAX = 1_500;
const BEGIN_AGAIN_MS = 500;
const LOOK_INTERVAL_MS = 5;
const RING_INTERVAL_MS = 100;
