import type { Place, WindowEvent } from "../algorithms/event-window.js";
import type { Keys } from "./keys.js";
import type { MemberRecord } from "./member-calls.js";
import { eventText, type MemberEvent, parseEvent } from "./member-event.js";
import { type Call, scriptCall } from "./scripts.js";

/** What one primary stores of an event. */
export interface StoredEvent extends MemberEvent, WindowEvent {
  readonly status: MemberRecord["status"] | "suspect";
  /** Which of several of its kind, of the same revision; missing: there is but one. */
  readonly episode?: string;
  /** What was registered then, as JSON. */
  readonly registered: string;
}

/** A part of one stream. */
export interface EventPart {
  /** Where the stream begins now; null: it has no more events than were returned. */
  readonly first: Place | null;
  /** Null: a mark, which tells of nothing. */
  readonly events: readonly { readonly place: Place; readonly event: StoredEvent | null }[];
}

/** A stream, and the last place that was read of it; null: none. */
export interface EventsAsked {
  readonly service: string;
  readonly after: Place | null;
}

/**
 * Parts of the streams of these services, in their order, and of as many of them as fit. `keep`: the streams do not end, since
 * they are read all the time. `asked`: at most `STREAMS_AT_ONCE_MAX`.
 */
export function readEvents(keys: Keys, asked: readonly EventsAsked[], keep: boolean): Call<EventPart[]> {
  const from = asked.map(({ after }) => (after ? `${after.ms}-${after.seq + 1}` : "0-1"));
  return scriptCall(
    "read-events",
    asked.map(({ service }) => keys.events(service)),
    [keep ? "1" : "", EVENTS_AT_ONCE_MAX, PART_BYTES_MAX, ...from],
    (reply) => (reply as unknown[][]).map(parsePart),
  );
}

function parsePart([first, ...events]: unknown[]): EventPart {
  return {
    first: first === "" ? null : parsePlace(first as string),
    events: (events as [string, string[]][]).map(([place, pairs]) => ({
      place: parsePlace(place),
      event: parseStored(pairs),
    })),
  };
}

function parsePlace(text: string): Place {
  const [ms, seq] = text.split("-");
  return { ms: Number(ms), seq: Number(seq ?? 0) };
}

function parseStored(pairs: readonly string[]): StoredEvent | null {
  const fields: Record<string, string> = {};
  for (let i = 0; i + 1 < pairs.length; i += 2) fields[pairs[i] as string] = pairs[i + 1] as string;
  const {
    member: id,
    incarnation,
    revision,
    left,
    nonce,
    change,
    status,
    event = "",
    registered = "null",
  } = fields;
  if (id === undefined) return null;
  const version = { incarnation: Number(incarnation), revision: Number(revision), left: left === "1" };
  return {
    id,
    ...version,
    expired: left === "2",
    ...parseEvent(event, version),
    status: status as StoredEvent["status"],
    registered,
    identity: identityText([id, incarnation, revision, left, nonce, change, event]),
  };
}

/** The event that made a record as it is. */
export function eventOf(record: MemberRecord): StoredEvent {
  const { id, incarnation, revision, left, status, registered, event } = record;
  const identity = identityOf(record);
  return {
    id,
    incarnation,
    revision,
    left,
    expired: record.expired !== null,
    status,
    registered,
    ...event,
    identity,
  };
}

/** Of the event that made a record as it is. */
export function identityOf(record: MemberRecord): string {
  const { id, incarnation, revision, left, expired, nonce, change, event } = record;
  return identityText([
    id,
    incarnation,
    revision,
    left ? "1" : expired ? "2" : "0",
    nonce,
    change,
    eventText(event),
  ]);
}

const identityText = (parts: readonly unknown[]) => parts.join("\n");

/** Some tenths of a millisecond of a primary's time. */
export const STREAMS_AT_ONCE_MAX = 100;
/** Of one stream. */
export const EVENTS_AT_ONCE_MAX = 100;
const PART_BYTES_MAX = 256 * 1024;
