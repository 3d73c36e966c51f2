import { Namespace } from "../../namespace.js";
import type { Message } from "../../primitives/members/events/event-log.js";
import type { Told } from "../../primitives/members/events/event-watch.js";
import { toEventJson } from "../../primitives/members/events/told-event.js";
import type { StoredEvent } from "../../scripts/event-calls.js";
import { toEvent } from "../responses/event-stream.js";

/** What a watcher of a service is told, as server-sent events, in parts that take a millisecond or so to make. */
export function* toldText(service: string, told: Exclude<Told, { kind: "behind" }>): Generator<string> {
  switch (told.kind) {
    case "reset":
      yield toEvent("reset", null, JSON.stringify({ service: nameOf(service), why: told.why }));
      return;
    case "snapshot": {
      const { members, ringId } = told.snapshot;
      yield* inParts(members, (event) => toEvent("member", null, eventJson(service, event)));
      const mark = { service: nameOf(service), members: members.length, ringId };
      yield toEvent("synced", told.position, JSON.stringify(mark));
      return;
    }
    case "missed":
      yield* inParts(told.missed, (event) => toEvent(event.kind, null, eventJson(service, event)));
      yield bookmark(service, told.position, told);
      return;
    case "messages":
      yield told.messages.map((message) => messageText(service, message)).join("");
  }
}

/** Says how far its reader is; to one that has come back also what it cannot have missed: who is suspect, and the ring. */
export function bookmark(
  service: string,
  position: string | null,
  { suspects, ringId }: { readonly suspects?: readonly string[]; readonly ringId?: string } = {},
): string {
  return toEvent("bookmark", position, JSON.stringify({ service: nameOf(service), suspects, ringId }));
}

function* inParts(events: readonly StoredEvent[], toText: (event: StoredEvent) => string): Generator<string> {
  for (let at = 0; at < events.length; at += PART)
    yield events
      .slice(at, at + PART)
      .map(toText)
      .join("");
}

const messageTexts = new WeakMap<Message, string>();

/** Made once for all who are told it. */
function messageText(service: string, message: Message): string {
  const known = messageTexts.get(message);
  if (known !== undefined) return known;
  const text =
    message.kind === "ring-changed"
      ? toEvent(message.kind, null, JSON.stringify({ service: nameOf(service), ringId: message.ringId }))
      : toEvent(message.kind, message.position, eventJson(service, message.event));
  messageTexts.set(message, text);
  return text;
}

const eventTexts = new WeakMap<StoredEvent, string>();

function eventJson(service: string, event: StoredEvent): string {
  const known = eventTexts.get(event);
  if (known !== undefined) return known;
  const text = JSON.stringify(toEventJson(service, event));
  eventTexts.set(event, text);
  return text;
}

const nameOf = (service: string) => Namespace.of(service).outer(service);

const PART = 50;
