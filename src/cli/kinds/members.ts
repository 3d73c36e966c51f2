import { inWords } from "../duration.js";
import { segment } from "../names.js";
import type { Cell } from "../output.js";
import { read } from "../pages.js";
import type { Member } from "../types.js";
import { json } from "./cells.js";
import type { Kind } from "./kind.js";

/** Those of a service, by id. */
export const membersOf = (service: string): Kind<Member> => ({
  read: (transport, id) =>
    read(transport, `/services/${segment(service)}/members/${segment(id)}`, "incarnation"),
  head: MEMBER_HEAD,
  rows: (member) => [memberRow(member)],
});

export const MEMBER_HEAD = [
  "id",
  "address",
  "status",
  "weight",
  "zone",
  "tags",
  "last heartbeat",
  "ttl",
  "metadata",
];

export function memberRow(member: Member): Cell[] {
  const { id, address, status, weight, zone, tags, lastHeartbeatAgeMs, ttlMs, metadata } = member;
  const seen = `${inWords(lastHeartbeatAgeMs)} ago`;
  return [id, address, status, weight, zone, tags.join(" ") || null, seen, inWords(ttlMs), json(metadata)];
}
