import { describe, expect, test } from "vitest";
import { parsePosition, positionText } from "../../src/algorithms/event-position.js";
import {
  EventWindow,
  type Place,
  type Position,
  type WindowEvent,
} from "../../src/algorithms/event-window.js";

// Which events are told, and what a position says, by hand and by chance.

const INCARNATIONS = ["p0:1", "p1:1", "p2:1"];

function event(id: string, incarnation: number, revision = 1, more: Partial<WindowEvent> = {}): WindowEvent {
  const left = more.left ?? false;
  return {
    id,
    incarnation,
    revision,
    left,
    expired: false,
    identity: `${id} ${incarnation} ${revision} ${left}`,
    ...more,
  };
}

/** A window on three primaries, each of which begins with a mark. */
function newWindow(majority = 2) {
  const window = new EventWindow<WindowEvent>(3, majority);
  const next: [number, number, number] = [1, 1, 1];
  for (const primary of [0, 1, 2]) window.restart(primary, INCARNATIONS[primary] as string);
  const place = (primary: 0 | 1 | 2): Place => ({ ms: next[primary]++, seq: 0 });
  const note = (primary: 0 | 1 | 2, one: WindowEvent | null, nowMs = 0) =>
    window.note(primary, [{ place: place(primary), event: one }], nowMs);
  for (const primary of [0, 1, 2] as const) note(primary, null);
  return { window, note, next };
}

function told(window: EventWindow<WindowEvent>, nowMs = 0): string[] {
  const all: string[] = [];
  for (let one = window.next(nowMs); one; one = window.next(nowMs)) all.push(one.event.identity);
  return all;
}

const placesOf = (position: Position) => position.map((one) => one?.place.ms ?? null);

describe("an event", () => {
  test("is told once a majority hold it, and once only", () => {
    const { window, note } = newWindow();
    note(0, event("a", 1));
    expect(told(window)).toEqual([]);
    note(2, event("a", 1));
    expect(told(window)).toEqual(["a 1 1 false"]);
    note(1, event("a", 1));
    note(1, event("a", 1));
    expect(told(window)).toEqual([]);
  });

  test("is not told for two different ones of the same version", () => {
    const { window, note } = newWindow();
    note(0, event("a", 1, 1, { identity: "one" }));
    note(1, event("a", 1, 1, { identity: "other" }));
    expect(told(window)).toEqual([]);
  });

  test("waits a moment for an older one of its member that may be told, then takes its place", () => {
    const { window, note } = newWindow();
    note(1, event("a", 1, 1));
    for (const primary of [1, 2] as const) note(primary, event("a", 1, 2));
    expect(told(window, 100)).toEqual([]);
    note(0, event("a", 1, 1));
    expect(told(window, 100)).toEqual(["a 1 1 false", "a 1 2 false"]);

    note(1, event("b", 1, 1), 100);
    for (const primary of [1, 2] as const) note(primary, event("b", 1, 2), 100);
    expect(told(window, 300)).toEqual(["b 1 2 false"]);
    note(0, event("b", 1, 1), 300);
    expect(told(window, 300)).toEqual([]);
  });

  test("is not told where a later one of its member was: a leave before a live revision", () => {
    const { window, note } = newWindow();
    for (const primary of [0, 1] as const) note(primary, event("a", 1, 1, { left: true }));
    expect(told(window)).toEqual(["a 1 1 true"]);
    for (const primary of [0, 1] as const) note(primary, event("a", 1, 2));
    expect(told(window)).toEqual([]);
    for (const primary of [0, 1] as const) note(primary, event("a", 2, 1));
    expect(told(window)).toEqual(["a 2 1 false"]);
  });

  test("of an end is told after its revision, and before one that made it void", () => {
    const { window, note } = newWindow();
    const ended = event("a", 1, 1, { expired: true, identity: "expired" });
    for (const primary of [0, 1] as const) note(primary, ended);
    for (const primary of [0, 1] as const) note(primary, event("a", 1, 1));
    for (const primary of [0, 1] as const) note(primary, event("a", 1, 2));
    expect(told(window)).toEqual(["a 1 1 false", "expired", "a 1 2 false"]);
  });

  test("that ends an incarnation is the only one: a leave that comes when it has expired is not told", () => {
    const { window, note } = newWindow();
    const expired = event("a", 1, 1, { expired: true, identity: "expired" });
    const left = event("a", 1, 1, { left: true, identity: "left" });
    for (const primary of [0, 1] as const) note(primary, event("a", 1));
    for (const primary of [0, 1] as const) note(primary, expired);
    for (const primary of [0, 1] as const) note(primary, left);
    expect(told(window)).toEqual(["a 1 1 false", "expired"]);
    // Where the leave is told first, the other comes too late.
    const { window: another, note: noteThere } = newWindow();
    for (const primary of [0, 1] as const) noteThere(primary, left);
    expect(told(another)).toEqual(["left"]);
    for (const primary of [0, 1] as const) noteThere(primary, expired);
    expect(told(another)).toEqual([]);
    // One that registers anew leaves as any.
    for (const primary of [0, 1] as const) note(primary, event("a", 2, 1, { left: true, identity: "again" }));
    expect(told(window)).toEqual(["again"]);
  });

  test("that happened before the window began is told to those who resume only", () => {
    const { window, note } = newWindow();
    const before = window.position();
    for (const primary of [0, 1, 2] as const) note(primary, event("a", 1));
    for (const primary of [0, 1, 2] as const) note(primary, event("b", 1));
    for (const primary of [0, 1, 2] as const) note(primary, event("b", 1, 1, { left: true }));
    note(0, event("c", 1), 5);
    for (const primary of [0, 1] as const) note(primary, event("d", 1), 20);
    window.begin([event("a", 1), event("c", 1)], 10);
    expect(window.isBehind).toBe(true);
    // `d` came after the list was read, and so is not in it.
    expect(told(window, 20)).toEqual(["d 1 1 false"]);
    expect(window.since(before)?.map(({ identity }) => identity)).toEqual([
      "a 1 1 false",
      "b 1 1 false",
      "b 1 1 true",
      "d 1 1 false",
    ]);
    note(1, event("c", 1), 30);
    expect(window.isBehind).toBe(false);
    expect(window.next(30)).toMatchObject({ event: { id: "c" }, isKnown: true });
  });

  test("of a member that the list has in a later version is told to those who resume all the same", () => {
    const { window, note } = newWindow();
    note(0, event("a", 1));
    window.begin([event("a", 2)], 10);
    note(1, event("a", 1), 20);
    for (const primary of [0, 1] as const) note(primary, event("a", 2), 20);
    expect(window.next(20)).toMatchObject({ event: { incarnation: 1 }, isKnown: true });
    expect(window.next(20)).toMatchObject({ event: { incarnation: 2 }, isKnown: true });
  });

  test("of which the records show what became of it is told, or given up", () => {
    const { window, note } = newWindow();
    note(0, event("a", 1));
    note(0, event("b", 1));
    expect(window.doubtful(1).map(({ id }) => id)).toEqual(["a", "b"]);
    window.settle(event("a", 1), "held", 10);
    window.settle(event("b", 1), "void", 10);
    expect(told(window, 10)).toEqual(["a 1 1 false"]);
    expect(window.doubtful(1_000)).toEqual([]);
    // A majority hold it after all.
    note(1, event("b", 1), 20);
    expect(told(window, 20)).toEqual(["b 1 1 false"]);
  });
});

describe("a position", () => {
  test("stays before what is pending on a primary", () => {
    const { window, note } = newWindow();
    note(0, event("a", 1));
    for (const primary of [0, 1] as const) note(primary, event("b", 1));
    expect(told(window)).toEqual(["b 1 1 false"]);
    expect(placesOf(window.position())).toEqual([1, 2, 1]);
    note(2, event("a", 1));
    told(window);
    expect(placesOf(window.position())).toEqual([3, 2, 2]);
  });

  test("of whoever was told the first of several leaves the others to come", () => {
    const { window, note } = newWindow();
    for (const id of ["a", "b"]) for (const primary of [0, 1, 2] as const) note(primary, event(id, 1));
    window.next(0);
    const position = window.position();
    expect(told(window)).toEqual(["b 1 1 false"]);
    expect(window.since(position)?.map(({ id }) => id)).toEqual(["b"]);
  });

  test("is good while a majority of its places are: of primaries that are what they were, and still have it", () => {
    const { window, note } = newWindow();
    const position = window.position();
    window.restart(0, "p0:2");
    expect(window.since(position)).toEqual([]);
    // What a primary that was readmitted has again is no news.
    for (const primary of [1, 2] as const) note(primary, event("a", 1));
    told(window);
    const later = window.position();
    note(0, event("a", 1));
    expect([told(window), window.since(later)]).toEqual([[], []]);
    window.restart(1, "p1:2");
    expect(window.since(position)).toBeNull();
    expect(window.since([null, null, null])).toBeNull();
  });

  test("is too old once what followed is kept no more", () => {
    const { window, note } = newWindow();
    const position = window.position();
    for (let i = 0; i < 3_000; i++)
      for (const primary of [0, 1, 2] as const) note(primary, event(`m${i}`, 1));
    told(window);
    expect(window.since(position)).toBeNull();
    expect(window.since(window.position())).toEqual([]);
  });

  test("fits in 256 characters for seven primaries, and is the same when it was read", () => {
    const incarnations = Array.from({ length: 7 }, (_, i) => `${"x".repeat(24)}${i}:1000000`);
    const position = incarnations.map((incarnation) => ({
      incarnation,
      place: { ms: 8_640_000_000_000_000, seq: 4_294_967_295 },
    }));
    const text = positionText(position) as string;
    expect(text.length).toBeLessThanOrEqual(256);
    expect(text).toMatch(/^[A-Za-z0-9._~-]+$/);
    expect(parsePosition(text, incarnations)).toEqual(position);
    // In another order, and with a primary that was readmitted meanwhile.
    const other = [...incarnations.slice(1).reverse(), "readmitted"];
    expect(parsePosition(text, other)).toEqual([...position.slice(1).reverse(), null]);
    expect(parsePosition("~~ x.y ~ 0", incarnations)).toEqual(incarnations.map(() => null));
  });
});

/**
 * Events reach primaries in any order and some reach only one; a reader comes and goes, and resumes at another window, which has
 * read all from the beginning. Returns what it was never told, and what it was told though no majority held it.
 */
function resuming(seed: number, { majority = 2, passesPending = false } = {}) {
  let state = seed * 2_654_435_761;
  const chance = (below: number) => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 3_266_489_917) >>> 0;
    return state % below;
  };
  const stored: { place: Place; event: WindowEvent | null }[][] = [0, 1, 2].map(() => [
    { place: { ms: 1, seq: 0 }, event: null },
  ]);
  const add = (primary: number, one: WindowEvent) =>
    stored[primary]?.push({ place: { ms: (stored[primary]?.length ?? 0) + 1, seq: 0 }, event: one });
  const late: [number, WindowEvent][] = [];
  const acknowledged: string[] = [];
  const seen = new Set<string>();
  const tooEarly = new Set<string>();
  const heldBy = (identity: string) =>
    stored.filter((log) => log.some(({ event: one }) => one?.identity === identity)).length;

  const open = () => {
    const window = new EventWindow<WindowEvent>(3, majority);
    for (const primary of [0, 1, 2]) window.restart(primary, INCARNATIONS[primary] as string);
    return { window, read: [0, 0, 0] };
  };
  const read = ({ window, read: upTo }: ReturnType<typeof open>, primary: number, nowMs: number) => {
    window.note(primary, (stored[primary] ?? []).slice(upTo[primary]), nowMs);
    upTo[primary] = stored[primary]?.length ?? 0;
  };
  let reader = open();
  for (const primary of [0, 1, 2]) read(reader, primary, 0);
  reader.window.begin([], 1);
  for (let step = 0; step < 60; step++) {
    const nowMs = step * 50;
    const one = event(`m${step}`, 1);
    const first = chance(3);
    add(first, one);
    // Now and then a write reaches a second primary much later, when others have long been told.
    if (chance(3) > 0) add((first + 1) % 3, one);
    else if (chance(2) === 0) late.push([(first + 1 + chance(2)) % 3, one]);
    if (late.length > 0 && chance(4) === 0) add(...(late.shift() as [number, WindowEvent]));
    for (const primary of [0, 1, 2]) if (chance(4) > 0) read(reader, primary, nowMs);
    for (let next = reader.window.next(nowMs); next; next = reader.window.next(nowMs)) {
      seen.add(next.event.identity);
      if (heldBy(next.event.identity) < 2) tooEarly.add(next.event.identity);
    }
    if (chance(5) === 0) {
      const behindAll = INCARNATIONS.map((incarnation, primary) => ({
        incarnation,
        place: { ms: reader.read[primary] as number, seq: 0 },
      }));
      const position = passesPending ? behindAll : reader.window.position();
      reader = open();
      for (const primary of [0, 1, 2]) read(reader, primary, nowMs);
      reader.window.begin([], nowMs + 1);
      const missed = reader.window.since(position);
      if (!missed) throw new Error(`seed ${seed}: no place is left`);
      for (const { identity } of missed) seen.add(identity);
    }
  }
  for (const each of late) add(...each);
  for (const primary of [0, 1, 2]) read(reader, primary, 10_000);
  for (let next = reader.window.next(10_000); next; next = reader.window.next(10_000))
    seen.add(next.event.identity);
  for (const { event: one } of stored.flat())
    if (one && heldBy(one.identity) >= 2) acknowledged.push(one.identity);
  return { missed: acknowledged.filter((identity) => !seen.has(identity)), tooEarly: [...tooEarly] };
}

const SEEDS = Array.from({ length: 200 }, (_, i) => i + 1);

describe("whoever resumes elsewhere, again and again", () => {
  test("misses no event that a majority hold, and is told no other", () => {
    for (const seed of SEEDS) expect({ seed, ...resuming(seed) }).toEqual({ seed, missed: [], tooEarly: [] });
  });

  test("would miss some if a position were behind what is pending", () => {
    expect(SEEDS.some((seed) => resuming(seed, { passesPending: true }).missed.length > 0)).toBe(true);
  });

  test("would be told what a minority hold if one primary were enough", () => {
    expect(SEEDS.some((seed) => resuming(seed, { majority: 1 }).tooEarly.length > 0)).toBe(true);
  });
});
