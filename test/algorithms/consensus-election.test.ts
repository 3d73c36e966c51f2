import { describe, expect, test } from "vitest";
import {
  leadsIn,
  type Office,
  proclaimed,
  renewed,
  resigned,
  stand,
} from "../../src/algorithms/consensus-election.js";

const NOW_MS = 1_795_222_235_000;
const candidacy = { lease: "a", candidate: null, value: "", ttlMs: 1_000, still: null };
const officeOf = (office: Office | null, lease: string, still = candidacy.still as null | object) =>
  stand(office, { ...candidacy, lease, still: still as null }, NOW_MS);
const led = (office: Office | null, lease: string) => (officeOf(office, lease) as { next: Office }).next;

describe("an office", () => {
  const first = led(null, "a");

  test("begins with a term that is as high as tokens of leases are", () => {
    expect(first).toMatchObject({ term: NOW_MS * 1_000, leader: { lease: "a", beat: 0 }, ended: null });
  });

  test("is taken over only at the very beat that stood still", () => {
    const still = { term: first.term, beat: 0 };
    expect(officeOf(first, "b", still)).toMatchObject({
      kind: "leads",
      next: { term: first.term + 1, leader: { lease: "b", beat: 0 }, ended: "a" },
    });
    // However an instance's clock runs: the leader has renewed, and is not replaced.
    expect(officeOf(renewed(first, "a", 1_000), "b", still)).toEqual({ kind: "led" });
    // Another was quicker.
    expect(officeOf(led(resigned(first, "a"), "c"), "b", still)).toEqual({ kind: "led" });
    expect(officeOf(first, "b")).toEqual({ kind: "led" });
  });

  test("is renewed, proclaimed and resigned by its leader alone", () => {
    expect(renewed(first, "a", 5_000)?.leader).toMatchObject({ beat: 1, ttlMs: 5_000 });
    expect(renewed(renewed(first, "a", 5_000), "a", 100)?.leader).toMatchObject({ beat: 2, ttlMs: 5_000 });
    expect(proclaimed(first, "a", "1")?.leader).toMatchObject({ value: "1", revision: 1, beat: 0 });
    for (const office of [null, first, resigned(first, "a")]) {
      expect(renewed(office, "b", 100)).toBeNull();
      expect(proclaimed(office, "b", "1")).toBeNull();
      expect(resigned(office, "b")).toBeNull();
    }
  });

  test("says whether somebody leads in a term", () => {
    expect(leadsIn(first, first.term)).toBe(true);
    expect(leadsIn(first, first.term - 1)).toBe(false);
    expect(leadsIn(resigned(first, "a"), first.term)).toBe(false);
    expect(leadsIn(null, 1)).toBe(false);
  });

  test("is not led again by the lease that led last", () => {
    expect(officeOf(resigned(first, "a"), "a")).toEqual({ kind: "ended" });
    expect(led(first, "a")).toMatchObject({ term: first.term, leader: { beat: 1 } });
  });
});
