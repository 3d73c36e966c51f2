import { expect, test } from "vitest";
import { eventInWords, inWords, memberChanges } from "../../../src/cli/kinds/member-changes.js";
import type { Member } from "../../../src/cli/types.js";

const member = (id: string, more: Partial<Member> = {}): Member =>
  ({
    id,
    address: `${id}:9000`,
    weight: 1,
    zone: null,
    tags: [],
    status: "up",
    incarnation: 1,
    revision: 1,
    lastHeartbeatAgeMs: 0,
    ...more,
  }) as Member;

test("what has changed between two lists is told by id, and what only aged is not", () => {
  const before = ["a", "b", "c", "d", "e", "f"].map((id) => member(id));
  const now = [
    member("a", { lastHeartbeatAgeMs: 5_000 }),
    member("b", { status: "suspect" }),
    member("c", { status: "draining", revision: 2 }),
    member("d", { incarnation: 2 }),
    member("e", { revision: 2, weight: 2, zone: "z", tags: ["x", "y"] }),
    member("g"),
  ];
  expect(memberChanges(before, now)).toEqual([
    { id: "b", change: "is suspect" },
    { id: "c", change: "drains" },
    { id: "d", change: "registered again: is up at d:9000" },
    { id: "e", change: "changed: weight 2, zone z, tags x y" },
    { id: "f", change: "is gone" },
    { id: "g", change: "joined: is up at g:9000" },
  ]);
  expect(inWords(member("h", { status: "draining" }))).toBe("drains at h:9000");
});

test.each([
  ["joined", "registered", "joined: is up at a:9000"],
  ["updated", "changed: weight", "updated: changed: weight; is up, weight 1, zone -, tags -"],
  ["updated", "", "updated; is up, weight 1, zone -, tags -"],
  ["suspect", "reported by b, c", "suspect: reported by b, c"],
  ["left", "left", "left"],
  ["left", "it has drained", "left: it has drained"],
  ["expired", "no heartbeat for its time to live", "expired: no heartbeat for its time to live"],
] as const)("that a member has %s, since %j, is told as: %s", (event, why, line) => {
  expect(eventInWords({ event, why, member: member("a") })).toBe(line);
});
