import { describe, expect, test } from "vitest";
import { DoubtfulMembers } from "../../../src/primitives/members/events/doubtful-members.js";
import type { EventWatch } from "../../../src/primitives/members/events/event-watch.js";
import type { MemberReads } from "../../../src/primitives/members/member-reads.js";
import type { Primaries } from "../../../src/quorum/primaries.js";
import { Keys } from "../../../src/scripts/keys.js";
import { FakeClock } from "../../helpers/fake-clock.js";
import { memberRecord } from "../../helpers/member-record.js";
import { inVirtualTime } from "../../simulation/virtual-time.js";

const SERVICE = "search";
const REGISTERED = { address: "m:1", weight: 1, zone: null, tags: [], metadata: null };

/** What a watcher was told since it was last asked, but snapshots. */
function told(watch: EventWatch): string[] {
  const all: string[] = [];
  for (let next = watch.take(); next; next = watch.take())
    if (next.kind === "messages")
      all.push(...next.messages.flatMap((one) => ("event" in one ? `${one.kind} ${one.event.id}` : [])));
  return all;
}

test("one that a primary says has expired, while another does not answer, is told as suspect until the others are heard", async () => {
  await inVirtualTime(async ({ one, other, universe, sleep }) => {
    await one.core.membership.register(SERVICE, "m", 20_000, REGISTERED);
    const watch = await one.core.memberEvents.watch(SERVICE, null);
    await sleep(1_500);
    expect(told(watch)).toEqual([]);

    universe.primaries[2]?.pause();
    universe.primaries[0]?.jump(21_000);
    await sleep(3_000);
    const [listed] = (await other.core.membership.pages.page(SERVICE, null, 10)).members;
    expect(listed?.status).toBe("suspect");
    expect(told(watch)).toEqual(["suspect m"]);
    // Here nobody has watched before.
    const late = await other.core.memberEvents.watch(SERVICE, null);
    expect(late.take()).toMatchObject({ snapshot: { members: [{ id: "m", status: "suspect" }] } });

    universe.primaries[2]?.resume();
    await sleep(3_000);
    expect((await one.core.membership.pages.page(SERVICE, null, 10)).members[0]?.status).toBe("up");
    expect([watch, late].map(told)).toEqual([["updated m"], ["updated m"]]);
    for (const one of [watch, late]) one.end();
  });
});

describe("while guards last", () => {
  const guarded = (clock: FakeClock, live: MemberReads["live"]) =>
    new DoubtfulMembers(
      { askMajority: async () => [{ endsInMs: 1_000, restsForMs: 2_000 }, null] } as unknown as Primaries,
      new Keys("q:"),
      { live },
      clock,
    );

  test("services are looked at one at a time, with four times the time that it took in between", async () => {
    const clock = new FakeClock();
    const looks: string[] = [];
    const doubtful = guarded(clock, async (service) => {
      looks.push(`${service} ${clock.monotonicMs()}`);
      await clock.sleep(100);
      return [memberRecord({ id: "a", doubt: "guarded" }), memberRecord({ id: "b" })];
    });
    const found = [doubtful.find("s", [], () => ["a", "b"]), doubtful.find("t", [], () => ["a", "b"])];
    await clock.advance(2_000);
    expect(looks).toEqual(["s 0", "t 500"]);
    for (const one of await Promise.all(found)) expect([...one.keys()]).toEqual(["a"]);
  });

  test("a look that fails keeps no other waiting", async () => {
    const clock = new FakeClock();
    let looks = 0;
    const doubtful = guarded(clock, async () => {
      looks += 1;
      throw new Error("no majority");
    });
    const found = ["s", "t"].map((service) => doubtful.find(service, [], () => ["a"]));
    expect((await Promise.allSettled(found)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(looks).toBe(2);
  });
});
