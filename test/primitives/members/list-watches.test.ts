import { beforeEach, expect, test } from "vitest";
import { toGone } from "../../../src/primitives/members/gone-member.js";
import { type JudgedCensus, ListWatches } from "../../../src/primitives/members/list-watches.js";
import type { Member } from "../../../src/primitives/members/member.js";
import { filterKey, filterOf, matches, versionOf } from "../../../src/primitives/members/member-filter.js";
import type { FirstPage } from "../../../src/primitives/members/member-pages.js";
import { SharedReads } from "../../../src/primitives/reads/shared-reads.js";
import type { MemberRecord } from "../../../src/scripts/member-calls.js";
import { FakeClock, settled } from "../../helpers/fake-clock.js";
import { memberRecord } from "../../helpers/member-record.js";

// Blocking reads of lists, in virtual time, of members that come from no primary.

const member = (id: string, more: Partial<Member> = {}) =>
  ({ id, incarnation: 1, revision: 1, status: "up", zone: "z1", tags: [], ...more }) as unknown as Member;

let clock: FakeClock;
let members: Member[];
let gone: MemberRecord[];
let reads: { lists: number; pages: number };
let watches: ListWatches;
beforeEach(() => {
  clock = new FakeClock();
  members = [member("a"), member("b", { zone: "z2" })];
  gone = [];
  reads = { lists: 0, pages: 0 };
  // As in production: whoever asks for the same at the same time shares a read.
  const lists = new SharedReads<JudgedCensus>(clock, 4);
  const pages = new SharedReads<FirstPage>(clock, 4);
  watches = new ListWatches(
    (service) =>
      lists.read(service, async () => {
        reads.lists++;
        return { live: [...members], gone: [...gone] };
      }),
    {
      first: (service, limit, filter = {}) =>
        pages.read(`${service} ${limit} ${filterKey(filter)}`, async () => {
          reads.pages++;
          const all = filter.includeGone ? [...members, ...gone.map(toGone)] : members;
          const found = all.filter((each) => matches(each, filter));
          return {
            members: found as Member[],
            ringId: "r",
            cursor: null,
            guardEndsInMs: null,
            version: versionOf(found),
          };
        }),
    },
    clock,
  );
});

/** What a reader that knows the list as it is now has been told. */
function wait(zone: string | undefined, waitMs = 20_000, includeGone = false) {
  const filter = filterOf({ zone, includeGone });
  const known = versionOf(members.filter((each) => matches(each, filter)));
  const told: { page?: FirstPage } = {};
  void watches
    .change("s", { limit: 1_000, filter }, known, clock.monotonicMs() + waitMs)
    .then((page) => void Object.assign(told, { page }));
  return told;
}

test("a change is told to those whose filter it matches, and to no others", async () => {
  const [all, z1, z2] = [wait(undefined), wait("z1"), wait("z2")];
  await clock.advance(500);
  expect([all, z1, z2]).toEqual([{}, {}, {}]);
  members = [member("a"), member("b", { zone: "z2", revision: 2 })];
  await clock.advance(300);
  expect(all.page?.members).toHaveLength(2);
  expect(z2.page?.members).toMatchObject([{ id: "b", revision: 2 }]);
  expect(z1).toEqual({});
});

test("what changes by itself is no change", async () => {
  const all = wait(undefined);
  await clock.advance(500);
  members = members.map((each) => ({ ...each, lastHeartbeatAgeMs: 77 }));
  await clock.advance(5_000);
  expect(all).toEqual({});
});

test("without a change the answer comes at the deadline", async () => {
  const all = wait(undefined, 1_000);
  await clock.advance(999);
  expect(all).toEqual({});
  await clock.advance(1);
  expect(all.page?.members).toHaveLength(2);
  await clock.advance(1_000);
  expect(clock.pending).toBe(0);
});

test("a former member is a change for those who ask for them, and for no others", async () => {
  const [live, all] = [wait(undefined), wait(undefined, 20_000, true)];
  await clock.advance(500);
  gone = [memberRecord({ id: "g", left: true })];
  await clock.advance(300);
  expect(all.page?.members).toHaveLength(3);
  expect(live).toEqual({});
});

test("thousands of readers, each with a filter of its own, cost no more reads than one, and are all told", async () => {
  const zones = Array.from({ length: 2_000 }, (_, i) => `zone-${i}`);
  const told = [...zones, undefined].map((zone) => wait(zone));
  await settled();
  reads = { lists: 0, pages: 0 };
  await clock.advance(2_000);
  expect(reads.lists).toBeLessThanOrEqual(10);
  expect(reads.pages).toBe(0);
  members = zones.map((zone, i) => member(`m${i}`, { zone }));
  await clock.advance(400);
  expect(told.every(({ page }) => page)).toBe(true);
});

test("a list is looked through once for all who begin to wait together, not once for each", async () => {
  let looks = 0;
  const counted = member("a");
  Object.defineProperty(counted, "revision", {
    get: () => {
      looks += 1;
      return 1;
    },
  });
  members = [counted];
  for (let reader = 0; reader < 1_000; reader++) wait(undefined);
  looks = 0;
  await settled();
  await clock.advance(100);
  expect(looks).toBeLessThanOrEqual(4);
});
