import { compareVersions, type EventVersion } from "./event-version.js";

/**
 * Which events of one service have happened, from what each primary has stored of them: pure, and without a clock of its own.
 *
 * An event is told when a majority hold it. Events of one member are told in the order of their versions, and one that a
 * later one came before is not told any more. A position says how far somebody has been told: on each primary the last event
 * before anything that is pending there. So whatever is behind it was told or never will be.
 */
export class EventWindow<E extends WindowEvent> {
  readonly #logs: Log<E>[];
  readonly #items = new Map<string, Item<E>>();
  /** In the order in which they were told. */
  readonly #told = new Set<Item<E>>();
  /** A majority hold them, and they are not told yet. */
  #decided: Item<E>[] = [];
  readonly #pending = new Map<string, Set<Item<E>>>();
  /** The latest event of each member that was told. */
  readonly #latest = new Map<string, EventVersion>();
  /** The members that a snapshot at the beginning had. */
  #begunWith: ReadonlyMap<string, EventVersion> = new Map();

  constructor(
    primaries: number,
    private readonly majority: number,
  ) {
    this.#logs = Array.from({ length: primaries }, newLog<E>);
  }

  /** The log of a primary begins anew: it may have forgotten what it held, or some of it was never read. */
  restart(primary: number, incarnation: string): void {
    for (const { item } of this.#log(primary).entries) if (item) this.#removeVote(item, primary);
    this.#logs[primary] = { ...newLog<E>(), incarnation };
  }

  /** What was read next of a primary's stream. `event`: null: a mark, which tells of nothing. */
  note(primary: number, read: readonly { place: Place; event: E | null }[], nowMs: number): void {
    const log = this.#log(primary);
    for (const { place, event } of read) {
      log.first ??= place;
      log.entries.push({ place, item: event && this.#vote(primary, place, event, nowMs) });
    }
    if (log.entries.length > LOG_MAX + LOG_SLACK) this.#trim(primary, log.entries.length - LOG_MAX);
  }

  /**
   * Begins with the live members, from a quorum read that began at `readAtMs`. What was decided by then, or is in them, has
   * happened already: it is told only to those who resume.
   */
  begin(live: Iterable<EventVersion>, readAtMs: number): void {
    this.#begunWith = new Map([...live].map((version) => [version.id, version]));
    const past = this.#decided.filter(
      ({ event, decidedAtMs }) =>
        this.#isKnown(event) || (!this.#begunWith.has(event.id) && (decidedAtMs ?? readAtMs) < readAtMs),
    );
    this.#decided = this.#decided.filter((item) => !past.includes(item));
    for (const item of inOrder(past)) this.#tell(item);
  }

  /** Whether an event that the live members of the beginning show was not read from a majority yet. */
  get isBehind(): boolean {
    for (const items of this.#pending.values())
      for (const { event, decidedAtMs } of items)
        if (decidedAtMs === null && this.#isKnown(event)) return true;
    return false;
  }

  /** The next event to tell; null: none for now. `isKnown`: whoever began with a list of members knows it from there. */
  next(nowMs: number): { readonly event: E; readonly isKnown: boolean } | null {
    this.#decided = this.#decided.filter(({ state }) => state === "pending");
    for (const item of this.#decided) {
      const { event } = item;
      const latest = this.#latest.get(event.id);
      if (latest && (compareVersions(event, latest) <= 0 || isEndedBy(latest, event)))
        this.#end(item, "dropped");
      else if (!this.#waitsForOlder(item, nowMs)) {
        this.#tell(item);
        return { event, isKnown: this.#isKnown(event) };
      }
    }
    return null;
  }

  /** Events that were seen before `beforeMs` and that no majority hold as far as is known. */
  doubtful(beforeMs: number): E[] {
    return [...this.#pending.values()]
      .flatMap((items) => [...items])
      .filter((item) => item.decidedAtMs === null && item.seenAtMs < beforeMs)
      .map(({ event }) => event);
  }

  /** What a quorum read of the records has shown of a doubtful event. `held`: a majority store what it made. */
  settle({ identity }: E, outcome: "held" | "void", nowMs: number): void {
    const item = this.#items.get(identity);
    if (item?.state !== "pending" || item.decidedAtMs !== null) return;
    if (outcome === "held") this.#decide(item, nowMs);
    else this.#end(item, "dropped");
  }

  /** Where somebody is who was told everything so far, per primary; null: nothing can be said of it. */
  position(): Position {
    return this.#logs.map((log) => {
      while (log.settled < log.entries.length && isSettled(log.entries[log.settled])) log.settled += 1;
      const place = log.entries[log.settled - 1]?.place ?? log.trimmed;
      return place && { incarnation: log.incarnation, place };
    });
  }

  /** What was told behind a position; null: it is too old, or of primaries that have forgotten too much. */
  since(position: Position): E[] | null {
    const places = this.#logs.map((log, primary) => {
      const their = position[primary];
      const start = log.trimmed ?? log.first;
      if (!their || !start || their.incarnation !== log.incarnation) return null;
      // It may be beyond what was read here so far.
      return comparePlaces(start, their.place) <= 0 ? their.place : null;
    });
    if (places.filter((place) => place !== null).length < this.majority) return null;
    const isBehind = ({ places: own }: Item<E>) =>
      own.some((place, primary) => {
        const theirs = places[primary];
        return place && theirs && comparePlaces(place, theirs) <= 0;
      });
    return [...this.#told].filter((item) => !isBehind(item)).map(({ event }) => event);
  }

  #log(primary: number): Log<E> {
    return this.#logs[primary] as Log<E>;
  }

  #vote(primary: number, place: Place, event: E, nowMs: number): Item<E> {
    let item = this.#items.get(event.identity);
    if (!item) {
      item = { event, places: [], seenAtMs: nowMs, decidedAtMs: null, state: "pending" };
      this.#items.set(event.identity, item);
      this.#wait(item);
    }
    item.places[primary] ??= place;
    const votes = item.places.filter(Boolean).length;
    if (item.decidedAtMs === null && votes >= this.majority) this.#decide(item, nowMs);
    return item;
  }

  /** One that was given up, and reaches a majority after all, is told unless something later was. */
  #decide(item: Item<E>, nowMs: number): void {
    item.decidedAtMs = nowMs;
    if (item.state === "dropped") this.#wait(item);
    this.#decided.push(item);
  }

  #wait(item: Item<E>): void {
    item.state = "pending";
    const others = this.#pending.get(item.event.id);
    if (others) others.add(item);
    else this.#pending.set(item.event.id, new Set([item]));
  }

  #isKnown(event: E): boolean {
    const version = this.#begunWith.get(event.id);
    return version !== undefined && compareVersions(event, version) <= 0;
  }

  /** Whether an older event of its member comes first: one that is decided, or may be at any moment. */
  #waitsForOlder({ event, decidedAtMs }: Item<E>, nowMs: number): boolean {
    for (const other of this.#pending.get(event.id) ?? []) {
      if (compareVersions(other.event, event) >= 0) continue;
      if (other.decidedAtMs !== null || nowMs - (decidedAtMs ?? nowMs) < WAIT_FOR_OLDER_MS) return true;
    }
    return false;
  }

  #tell(item: Item<E>): void {
    const { event } = item;
    this.#end(item, "told");
    this.#told.add(item);
    const latest = this.#latest.get(event.id);
    if (!latest || compareVersions(event, latest) > 0) this.#latest.set(event.id, event);
    // Whatever is older comes too late.
    for (const other of this.#pending.get(event.id) ?? [])
      if (compareVersions(other.event, event) < 0) this.#end(other, "dropped");
  }

  #end(item: Item<E>, state: "told" | "dropped"): void {
    item.state = state;
    const others = this.#pending.get(item.event.id);
    others?.delete(item);
    if (others?.size === 0) this.#pending.delete(item.event.id);
  }

  #removeVote(item: Item<E>, primary: number): void {
    item.places[primary] = undefined;
    if (item.places.some(Boolean)) return;
    // Nobody holds it any more.
    if (item.state === "pending") this.#end(item, "dropped");
    this.#items.delete(item.event.identity);
    this.#told.delete(item);
    const isOver = item.event.left || item.event.expired;
    if (isOver && this.#latest.get(item.event.id) === item.event) this.#latest.delete(item.event.id);
  }

  #trim(primary: number, count: number): void {
    const log = this.#log(primary);
    const trimmed = log.entries.splice(0, count);
    log.trimmed = trimmed.at(-1)?.place ?? log.trimmed;
    log.settled = Math.max(0, log.settled - trimmed.length);
    for (const { item } of trimmed) if (item) this.#removeVote(item, primary);
  }
}

/** An event as one primary has it; equal identities: the same one. */
export interface WindowEvent extends EventVersion {
  readonly identity: string;
}

/** Where an event is in the stream of one primary: ms since 1970 by its clock, and a number within that. They only grow. */
export interface Place {
  readonly ms: number;
  readonly seq: number;
}

export function comparePlaces(one: Place, other: Place): number {
  return one.ms - other.ms || one.seq - other.seq;
}

/** A place on each primary, in their order, with what the primary was then; null: none. */
export type Position = readonly ({ readonly incarnation: string; readonly place: Place } | null)[];

interface Item<E> {
  readonly event: E;
  /** On each primary that holds it. */
  readonly places: (Place | undefined)[];
  readonly seenAtMs: number;
  /** When a majority held it; null: not yet, as far as is known. */
  decidedAtMs: number | null;
  state: "pending" | "told" | "dropped";
}

interface Entry<E> {
  readonly place: Place;
  /** Null: a mark. */
  readonly item: Item<E> | null;
}

/** A leave that came when its member had expired just before: that was its end. */
function isEndedBy(latest: EventVersion, event: EventVersion): boolean {
  return latest.expired && event.left && event.incarnation === latest.incarnation;
}

function isSettled<E>(entry: Entry<E> | undefined): boolean {
  return entry?.item?.state !== "pending";
}

/** What was read of the stream of one primary. */
interface Log<E> {
  readonly incarnation: string;
  readonly entries: Entry<E>[];
  first: Place | null;
  /** The last place that is kept no more. */
  trimmed: Place | null;
  /** How many entries from the first on are settled. */
  settled: number;
}

function newLog<E>(): Log<E> {
  return { incarnation: "", entries: [], first: null, trimmed: null, settled: 0 };
}

/** By the clocks of the primaries, which may differ; those of one member by their versions. */
function inOrder<E extends WindowEvent>(items: readonly Item<E>[]): Item<E>[] {
  const sorted = [...items].sort((one, other) => storedAtMs(one) - storedAtMs(other));
  const ofMember = groupByMember(sorted);
  for (const own of ofMember.values()) own.sort((one, other) => compareVersions(other.event, one.event));
  return sorted.map(({ event }) => ofMember.get(event.id)?.pop() as Item<E>);
}

function groupByMember<E extends WindowEvent>(items: readonly Item<E>[]): Map<string, Item<E>[]> {
  const groups = new Map<string, Item<E>[]>();
  for (const item of items) {
    const own = groups.get(item.event.id);
    if (own) own.push(item);
    else groups.set(item.event.id, [item]);
  }
  return groups;
}

function storedAtMs<E>({ places }: Item<E>): number {
  return Math.min(...places.flatMap((place) => place?.ms ?? []));
}

/** A little more than a stream has. */
const LOG_MAX = 1_200;
const LOG_SLACK = 200;
/** An older event that was acknowledged is on a primary by now, and is read within a round or two. */
const WAIT_FOR_OLDER_MS = 150;
