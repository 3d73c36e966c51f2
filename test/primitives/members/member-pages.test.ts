import { beforeEach, describe, expect, test } from "vitest";
import { buildRing } from "../../../src/algorithms/ring.js";
import { toMember } from "../../../src/primitives/members/member.js";
import { MemberPages } from "../../../src/primitives/members/member-pages.js";
import type { MemberRecord } from "../../../src/scripts/member-calls.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import { memberRecord } from "../../helpers/member-record.js";

// What is kept between the pages of a list, with members that come from no primary and time that a test owns.

const KEPT_MS = 30_000;

let clock: FakeClock;
let weights: Map<string, number>;
let reads: { ids: number; live: number };
let pages: MemberPages;
beforeEach(() => {
  clock = new FakeClock();
  weights = new Map(["a", "b", "c", "d"].map((id) => [id, 1]));
  reads = { ids: 0, live: 0 };
  let nonces = 0;
  pages = new MemberPages(
    {
      ids: async () => {
        reads.ids++;
        return [...weights.keys()];
      },
      all: async (_, ids) => {
        reads.live++;
        return { live: live(ids), gone: [] };
      },
    },
    {
      parts: async function* (_, ids) {
        yield { ids, live: live(ids), gone: [], lookedAt: ids.length, guardEndsInMs: 0 };
      },
    },
    { judge: async (_, records) => records.map(toMember) },
    clock,
    { nonce: () => `n${nonces++}` },
  );
});

const record = (id: string): MemberRecord =>
  memberRecord({
    id,
    registered: JSON.stringify({
      address: "x:1",
      weight: weights.get(id),
      zone: null,
      tags: [],
      metadata: null,
    }),
  });

const live = (ids: readonly string[]) => ids.filter((id) => weights.has(id)).map(record);

const ringId = () => buildRing([...weights].map(([id, weight]) => ({ id, weight }))).ringId;

describe("a list that is read in pages", () => {
  test("is read once, and every page names the ring of all members", async () => {
    let cursor: string | null = null;
    const seen: string[] = [];
    do {
      const page = await pages.page("s", cursor, 1);
      expect(page.ringId).toBe(ringId());
      seen.push(...page.members.map(({ id }) => id));
      cursor = page.cursor;
    } while (cursor !== null);
    expect(seen).toEqual(["a", "b", "c", "d"]);
    expect(reads).toEqual({ ids: 1, live: 1 });
  });

  test("has another ringId from the page on that finds a member changed or gone", async () => {
    const first = await pages.page("s", null, 1);
    const before = ringId();
    weights.set("b", 2);
    const second = await pages.page("s", first.cursor, 1);
    expect([second.ringId, second.ringId === before]).toEqual([ringId(), false]);
    weights.delete("c");
    const third = await pages.page("s", second.cursor, 1);
    expect(third.members.map(({ id }) => id)).toEqual(["d"]);
    expect([third.ringId, third.ringId === second.ringId]).toEqual([ringId(), false]);
  });

  test("is dropped half a minute after its last page, whether anything is asked or not", async () => {
    for (const service of ["s", "t", "u"]) await pages.page(service, null, 1);
    expect(pages.kept).toBe(3);
    await clock.advance(KEPT_MS + 100);
    expect(pages.kept).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("is read anew for a page that is asked for later", async () => {
    const { cursor } = await pages.page("s", null, 1);
    await clock.advance(KEPT_MS + 100);
    weights.set("e", 1);
    const page = await pages.page("s", cursor, 4);
    expect(page.members.map(({ id }) => id)).toEqual(["b", "c", "d", "e"]);
    expect(page.ringId).toBe(ringId());
    expect(reads.ids).toBe(2);
  });

  test("is not kept when one page has all of it", async () => {
    expect((await pages.page("s", null, 4)).cursor).toBeNull();
    expect(pages.kept).toBe(0);
  });
});
