import { Namespace } from "../../../namespace.js";
import type { StoredEvent } from "../../../scripts/event-calls.js";
import { type Registration, statusOf } from "../member.js";

/** An event as everybody sees it. Its id is made of what happened, so it is the same at every instance. */
export function toEventJson(service: string, event: StoredEvent) {
  const { id, incarnation, revision, kind, why, episode } = event;
  const registered = JSON.parse(event.registered) as Registration | null;
  const name = Namespace.of(service).outer(service);
  return {
    id: [name, id, incarnation, revision, kind, ...(episode === undefined ? [] : [episode])].join("/"),
    service: name,
    member: { id, incarnation, revision, status: toldStatus(event), ...(registered && said(registered)) },
    ...(why !== "" && { why }),
  };
}

function said({ address, weight, zone, tags, metadata }: Registration) {
  return { address, weight, zone, tags, metadata };
}

/** Of the member, by this event. */
export function toldStatus(event: StoredEvent) {
  if (event.kind === "left" || event.kind === "expired") return event.kind;
  return statusOf(event);
}
