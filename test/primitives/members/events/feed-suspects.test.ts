import { beforeEach, describe, expect, test } from "vitest";
import type { Suspected } from "../../../../src/algorithms/suspicion.js";
import { EventLog } from "../../../../src/primitives/members/events/event-log.js";
import { FeedState } from "../../../../src/primitives/members/events/feed-state.js";
import { FeedSuspects } from "../../../../src/primitives/members/events/feed-suspects.js";
import { eventOf } from "../../../../src/scripts/event-calls.js";
import { FakeClock } from "../../../helpers/fake-clock.js";
import { memberRecord } from "../../../helpers/member-record.js";

// Thousands who become suspect at once, as when a guard keeps them, in virtual time.

const IDS = Array.from({ length: 5_000 }, (_, i) => `m-${String(i).padStart(4, "0")}`);
const REGISTERED = JSON.stringify({ address: "m:1", weight: 1, zone: null, tags: [], metadata: null });
const GUARDED: Suspected = { why: "kept", episode: "guarded" };

let clock: FakeClock;
let log: EventLog;
let state: FeedState;
let doubtful: Map<string, Suspected>;
let suspects: FeedSuspects;
beforeEach(() => {
  clock = new FakeClock();
  log = new EventLog(clock);
  state = new FeedState(IDS.map((id) => eventOf(memberRecord({ id, registered: REGISTERED }))));
  doubtful = new Map();
  suspects = new FeedSuspects(
    "s",
    { suspected: async () => new Map() },
    { find: async () => new Map(doubtful) },
    clock,
    {
      eventOf: (id) => state.eventOf(id),
      ids: () => state.ids(),
      disputed: () => [],
      mark: (event) => state.mark(event),
      tell: (event) => {
        state.mark(event);
        log.push({ kind: event.kind, event, isKnown: false, position: null });
      },
    },
  );
});

/** What a watcher is told within a time in which it always reads on, every 10 ms. */
async function told(ms: number): Promise<string[]> {
  const kinds: string[] = [];
  let at = log.end;
  for (let passedMs = 0; passedMs < ms; passedMs += 10) {
    await clock.advance(10);
    for (let next = log.from(at, 100); next?.length !== 0; next = log.from(at, 100)) {
      if (next === null) return ["too slow"];
      at += next.length;
      kinds.push(...next.map(({ kind }) => kind));
    }
  }
  return kinds;
}

describe("5,000 members that become suspect at once", () => {
  test("are told to whoever reads on, and so is that they are not any more", async () => {
    doubtful = new Map(IDS.map((id) => [id, GUARDED]));
    suspects.look();
    expect(await told(1_000)).toEqual(IDS.map(() => "suspect"));
    expect(state.suspects()).toEqual(IDS);
    doubtful = new Map();
    suspects.look();
    expect(await told(1_000)).toEqual(IDS.map(() => "updated"));
    expect(state.suspects()).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test("are only marked where a feed begins: whoever watches gets a snapshot", async () => {
    await suspects.begin(IDS.map((id) => memberRecord({ id, doubt: "guarded" })));
    expect([log.end, state.suspects().length]).toEqual([0, IDS.length]);
    doubtful = new Map(IDS.map((id) => [id, GUARDED]));
    suspects.look();
    expect(await told(1_000)).toEqual([]);
  });

  test("are told as they are by then: not one that was registered again meanwhile", async () => {
    const last = IDS.at(-1) as string;
    doubtful = new Map(IDS.map((id) => [id, GUARDED]));
    suspects.look();
    await clock.advance(100);
    const again = eventOf(memberRecord({ id: last, incarnation: 2, registered: REGISTERED }));
    state.apply(suspects.judged(again));
    await clock.advance(1_000);
    expect(state.suspects()).toEqual(IDS.slice(0, -1));
  });
});
