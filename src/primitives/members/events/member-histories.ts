import { historyOf, type Kept } from "../../../algorithms/member-history.js";
import type { Clock } from "../../../clock.js";
import type { Primaries } from "../../../quorum/primaries.js";
import { steadilyOn } from "../../../quorum/scan.js";
import type { Primary } from "../../../redis/primary.js";
import { EVENTS_AT_ONCE_MAX, readEvents, type StoredEvent } from "../../../scripts/event-calls.js";
import type { Keys } from "../../../scripts/keys.js";
import { SharedReads } from "../../reads/shared-reads.js";

export type History = readonly Kept<StoredEvent>[];

/** What happened to single members, from the streams of their services: each read once, from its beginning to its end. */
export class MemberHistories {
  readonly #reads: SharedReads<History>;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    clock: Clock,
  ) {
    this.#reads = new SharedReads(clock, READS_AT_ONCE_MAX);
  }

  /** The latest events, in their order. Throws `no_quorum`. */
  read(service: string, id: string): Promise<History> {
    return this.#reads.read(`${service}/${id}`, async () => {
      const answers = await this.primaries.askAll((primary) => this.#eventsOn(primary, service, id));
      const { all, majority } = this.primaries;
      return historyOf(answers, { primaries: all.length, majority }, HISTORY_MAX);
    });
  }

  async #eventsOn(primary: Primary, service: string, id: string): Promise<Kept<StoredEvent>[]> {
    const run = steadilyOn(primary);
    const found: Kept<StoredEvent>[] = [];
    let after = BEFORE_ALL;
    for (let part = 0; part < PARTS_MAX; part++) {
      const [stream] = await run(readEvents(this.keys, [{ service, after }], false));
      const events = stream?.events ?? [];
      for (const { place, event } of events) {
        if (event?.id === id) found.push({ event, atMs: place.ms });
        after = place;
      }
      if (events.length < EVENTS_AT_ONCE_MAX) break;
    }
    return found;
  }
}

/** Events of one member. */
export const HISTORY_MAX = 100;
/** Not the beginning itself: a stream that is not there stays so. */
const BEFORE_ALL = { ms: 0, seq: 1 };
/** A stream has 1,100 events at most, and some may come meanwhile. */
const PARTS_MAX = 13;
const READS_AT_ONCE_MAX = 4;
