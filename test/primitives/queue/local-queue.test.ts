import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LocalQueue } from "../../../src/primitives/queue/local-queue.js";
import type { Waiter } from "../../../src/primitives/queue/waiter.js";

/** A place that notes how often it was asked to ask. */
function placeOf(ticket: number, mode: "shared" | "exclusive" = "shared", leaseId = "a") {
  const noted = { nudged: 0 };
  const place = { ticket, claim: { mode, leaseId }, nudge: () => void noted.nudged++ } as unknown as Waiter;
  return { place, noted };
}

function lineOf(...all: ReturnType<typeof placeOf>[]): LocalQueue {
  const line = new LocalQueue();
  for (const { place } of all) line.add(place);
  return line;
}

describe("a line", () => {
  test("has first whoever has the lowest ticket, whatever comes and goes", () => {
    const step = fc.record({ joins: fc.boolean(), ticket: fc.integer({ min: 1, max: 20 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const line = new LocalQueue();
        const there: Waiter[] = [];
        for (const { joins, ticket } of steps) {
          if (joins || there.length === 0) {
            const { place } = placeOf(ticket);
            there.push(place);
            line.add(place);
          } else line.remove(there.splice(ticket % there.length, 1)[0] as Waiter);
          const lowest = there.length === 0 ? undefined : Math.min(...there.map((one) => one.ticket));
          expect([line.size, line.first?.ticket]).toEqual([there.length, lowest]);
        }
      }),
    );
  });

  test("has those with one ticket in the order of the primaries: readers before writers, then by leaseId", () => {
    // As in the sorted set of a primary: by bytes, of which an upper case letter has fewer.
    const sorted = [
      placeOf(1, "exclusive", "z"),
      ...["-", "8", "T", "t"].map((id) => placeOf(2, "shared", id)),
      ...["-", "8", "T", "t"].map((id) => placeOf(2, "exclusive", id)),
      placeOf(3, "shared", "a"),
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(sorted), (some) => {
        const line = lineOf(...some);
        const there = new Set(some);
        for (const each of sorted.filter((one) => there.has(one))) {
          expect(line.first).toBe(each.place);
          line.remove(each.place);
        }
        expect(line.size).toBe(0);
      }),
    );
  });

  test("is not changed by one that leaves it twice, or was never in it", () => {
    const [one, other, stranger] = [placeOf(1), placeOf(1), placeOf(1)];
    const line = lineOf(one, other);
    line.remove(stranger.place);
    line.remove(one.place);
    line.remove(one.place);
    expect([line.size, line.first]).toEqual([1, other.place]);
  });
});

describe("readers that may enter", () => {
  test("are all who come before the first writer, and no writer", () => {
    const all = [placeOf(1), placeOf(2, "exclusive"), placeOf(3), placeOf(5), placeOf(6)];
    lineOf(...all).letReadersIn(5);
    expect(all.map(({ noted }) => noted.nudged)).toEqual([1, 0, 1, 0, 0]);
  });

  test("are told so once by what one of them was granted, not once by each", () => {
    const all = Array.from({ length: 100 }, (_, i) => placeOf(i + 1));
    const line = lineOf(...all);
    // Nobody said it: the holder's time was over, and the first found out by itself.
    for (const { place } of all) {
      line.remove(place);
      line.readerGranted(place);
    }
    expect(all.map(({ noted }) => noted.nudged)).toEqual([0, ...Array(99).fill(1)]);
  });

  test("are told again when one was refused since: a writer may have come and gone", () => {
    const all = [placeOf(1), placeOf(2), placeOf(3)];
    const line = lineOf(...all);
    line.letReadersIn(Number.POSITIVE_INFINITY);
    line.readerRefused();
    const [first] = all as [ReturnType<typeof placeOf>];
    line.remove(first.place);
    line.readerGranted(first.place);
    expect(all.map(({ noted }) => noted.nudged)).toEqual([1, 2, 2]);
  });

  test("wait for the word of a majority: each primary counts once until they were let in", () => {
    const line = lineOf(placeOf(1));
    expect([line.notified(0), line.notified(0), line.notified(2)]).toEqual([1, 1, 2]);
    line.letReadersIn(Number.POSITIVE_INFINITY);
    expect(line.notified(2)).toBe(1);
  });
});
