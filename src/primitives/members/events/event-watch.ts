import type { EventFeed, Start } from "./event-feed.js";
import type { Message } from "./event-log.js";
import type { Snapshot } from "./feed-state.js";

/** What a watcher is told next. */
export type Told =
  /** What it knows is void: a snapshot follows. */
  | { readonly kind: "reset"; readonly why: string }
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot; readonly position: string | null }
  /** What it has missed since its position. */
  | ({ readonly kind: "missed" } & Pick<Start, "missed" | "suspects" | "suspected" | "ringId" | "position">)
  | { readonly kind: "messages"; readonly messages: readonly Message[] }
  /** It was too slow: what comes next is gone. */
  | { readonly kind: "behind" };

/** One watcher of a service. */
export class EventWatch {
  #start: Start;
  /** What is to be told before the messages of the log. */
  #first: Told[];
  #at: number;

  constructor(
    private readonly feed: EventFeed,
    since: string | null,
    /** Must be called. */
    readonly end: () => void,
  ) {
    this.#start = feed.start(since);
    this.#at = this.#start.at;
    this.#first = firstOf(this.#start, since === null ? null : TOO_OLD);
  }

  /** Null: nothing for now. */
  take(): Told | null {
    if (this.#start.generation !== this.feed.generation) this.#beginAnew();
    const first = this.#first.shift();
    if (first) return first;
    const messages = this.feed.log.from(this.#at, MESSAGES_AT_ONCE_MAX);
    if (!messages) return { kind: "behind" };
    if (messages.length === 0) return null;
    this.#at += messages.length;
    const knows = this.#start.snapshot !== null;
    return {
      kind: "messages",
      messages: messages.filter((one) => !knows || !("isKnown" in one && one.isKnown)),
    };
  }

  /** Resolves when there may be something to take, at the deadline, or when the signal aborts. */
  change(deadlineMs: number, signal: AbortSignal): Promise<void> {
    return this.feed.log.wait(deadlineMs, signal);
  }

  /** Where it is if there is nothing to take. */
  get position(): string | null {
    return this.feed.position;
  }

  #beginAnew(): void {
    this.#start = this.feed.start(null);
    this.#at = this.#start.at;
    this.#first = firstOf(this.#start, FORGOTTEN);
  }
}

function firstOf({ snapshot, position, ...rest }: Start, why: string | null): Told[] {
  if (!snapshot) {
    const { missed, suspects, suspected, ringId } = rest;
    return [{ kind: "missed", missed, suspects, suspected, ringId, position }];
  }
  const told: Told = { kind: "snapshot", snapshot, position };
  return why === null ? [told] : [{ kind: "reset", why }, told];
}

const TOO_OLD = "the events since this id are not known any more";
const FORGOTTEN = "primaries were restarted, and what has happened meanwhile is not known";
/** Some 50 KB of text. */
const MESSAGES_AT_ONCE_MAX = 100;
