import { comparePlaces, type Place } from "../../../algorithms/event-window.js";
import type { Clock } from "../../../clock.js";
import type { Primary } from "../../../redis/primary.js";
import {
  EVENTS_AT_ONCE_MAX,
  type EventPart,
  readEvents,
  STREAMS_AT_ONCE_MAX,
  type StoredEvent,
} from "../../../scripts/event-calls.js";
import type { Keys } from "../../../scripts/keys.js";

/** Who is told what is read of the streams of one service. */
export interface TailReader {
  readonly service: string;
  /** The stream of this primary is read from its beginning: it may have forgotten, or some of it was trimmed unread. */
  restarted(primary: number, incarnation: string): void;
  noted(primary: number, read: readonly { place: Place; event: StoredEvent | null }[]): void;
  /** All that the stream had was noted. */
  caughtUp(primary: number): void;
}

/**
 * Reads the streams of the services that are watched, on each primary by itself: a slow one delays no other. What it costs
 * depends on the services, not on who watches them, and nothing is read while nobody does.
 */
export class EventTails {
  readonly #readers = new Map<string, TailReader>();
  readonly #tails: readonly Tail[];

  constructor(primaries: readonly Primary[], keys: Keys, clock: Clock) {
    this.#tails = primaries.map((primary, index) => new Tail(primary, index, keys, clock, this.#readers));
  }

  add(reader: TailReader): void {
    this.#readers.set(reader.service, reader);
    for (const tail of this.#tails) tail.begin();
  }

  remove(reader: TailReader): void {
    this.#readers.delete(reader.service);
  }
}

/** How far the stream of a service was read. */
interface Progress {
  readonly reader: TailReader;
  readonly incarnation: string;
  after: Place | null;
}

class Tail {
  readonly #progress = new Map<string, Progress>();
  #running = false;
  #keptAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly primary: Primary,
    private readonly index: number,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly readers: ReadonlyMap<string, TailReader>,
  ) {}

  begin(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    while (this.readers.size > 0) {
      // A primary that does not answer says nothing, and is asked again.
      await this.#round().catch(() => {});
      await this.clock.sleep(READ_INTERVAL_MS);
    }
    this.#progress.clear();
    this.#running = false;
  }

  /** Reads each stream to its end. */
  async #round(): Promise<void> {
    const keep = this.clock.monotonicMs() - this.#keptAtMs > KEEP_INTERVAL_MS;
    for (const service of this.#progress.keys())
      if (!this.readers.has(service)) this.#progress.delete(service);
    let open = [...this.readers.values()];
    while (open.length > 0) open = await this.#part(open, keep);
    if (keep) this.#keptAtMs = this.clock.monotonicMs();
  }

  /** Returns those whose streams have more to read. */
  async #part(open: readonly TailReader[], keep: boolean): Promise<TailReader[]> {
    const { connectionEpoch, configurationEpoch, incarnation } = this.primary;
    if (connectionEpoch === null || configurationEpoch === null || incarnation === null) return [];
    const asked = open
      .slice(0, STREAMS_AT_ONCE_MAX)
      .map((reader) => ({ service: reader.service, progress: this.#progressOf(reader, incarnation) }));
    const call = readEvents(
      this.keys,
      asked.map(({ service, progress: { after } }) => ({ service, after })),
      keep,
    );
    const parts = await this.primary.runAs(connectionEpoch, configurationEpoch, call);
    const more = asked.filter(({ progress }, i) => {
      const part = parts[i];
      return !part || this.#note(progress, part);
    });
    return [...more.map(({ progress }) => progress.reader), ...open.slice(asked.length)];
  }

  #progressOf(reader: TailReader, incarnation: string): Progress {
    const known = this.#progress.get(reader.service);
    if (known?.reader === reader && known.incarnation === incarnation) return known;
    const progress = { reader, incarnation, after: null };
    this.#progress.set(reader.service, progress);
    reader.restarted(this.index, incarnation);
    return progress;
  }

  /** Whether there is more to read. */
  #note(progress: Progress, { first, events }: EventPart): boolean {
    const { reader, after, incarnation } = progress;
    if (after && first && comparePlaces(first, after) > 0) {
      // What followed was trimmed before it was read.
      progress.after = null;
      reader.restarted(this.index, incarnation);
      return true;
    }
    progress.after = events.at(-1)?.place ?? after;
    if (events.length > 0) reader.noted(this.index, events);
    if (events.length >= EVENTS_AT_ONCE_MAX) return true;
    reader.caughtUp(this.index);
    return false;
  }
}

const READ_INTERVAL_MS = 40;
const KEEP_INTERVAL_MS = 10_000;
