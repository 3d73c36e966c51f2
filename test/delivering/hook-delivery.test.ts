import { describe, expect, test } from "vitest";
import { HookDelivery, type HookDependencies } from "../../src/delivering/hook-delivery.js";
import { AllowList } from "../../src/outbound/allow-list.js";
import type { Posted } from "../../src/outbound/post.js";
import type { Hook, Progress } from "../../src/primitives/hooks/hook.js";
import type { Told } from "../../src/primitives/members/events/event-watch.js";
import type { StoredEvent } from "../../src/scripts/event-calls.js";
import { FakeClock } from "../helpers/fake-clock.js";

const HOOK: Hook = {
  id: "pager",
  url: "http://10.0.0.7/quorate",
  events: null,
  secret: `whsec_${"A".repeat(32)}`,
  made: "made-1",
  since: "at-0",
};

const event = (id: string, kind: StoredEvent["kind"] = "joined"): StoredEvent => ({
  id,
  incarnation: 7,
  revision: 1,
  kind,
  why: "",
  left: kind === "left",
  expired: kind === "expired",
  identity: `${id}/${kind}`,
  status: kind === "suspect" ? "suspect" : "up",
  registered: JSON.stringify({ address: "", weight: 1, zone: null, tags: [], metadata: null }),
});
const message = (id: string, position: string | null, kind?: StoredEvent["kind"]) =>
  ({ kind: kind ?? "joined", event: event(id, kind), isKnown: false, position }) as const;
const messages = (...all: ReturnType<typeof message>[]): Told => ({ kind: "messages", messages: all });

/** A hook whose events, receiver and progress are those of the test. */
function delivery({ events = null as Hook["events"], random = (): number => 0.5 } = {}) {
  const clock = new FakeClock();
  const asked: (string | null)[] = [];
  const queue: Told[] = [];
  let position: string | null = null;
  const take = () => {
    const told = queue.shift() ?? null;
    if (told && "position" in told) position = told.position;
    if (told?.kind === "messages")
      for (const one of told.messages) if ("position" in one) position = one.position ?? position;
    return told;
  };
  const posts: { readonly atMs: number; readonly what: string }[] = [];
  let answer: () => Posted = () => ({ kind: "answered", status: 200, text: "" });
  const saved: Progress[] = [];
  let stored: Progress | null = null;
  const outcomes: string[] = [];
  const dependencies: HookDependencies = {
    events: {
      watch: async (_, since) => {
        asked.push(since);
        return {
          take,
          change: (deadlineMs: number, signal: AbortSignal) =>
            clock.sleep(Math.max(0, deadlineMs - clock.monotonicMs()), signal).catch(() => {}),
          get position() {
            return position ?? since;
          },
          end: () => {},
        } as unknown as Awaited<ReturnType<HookDependencies["events"]["watch"]>>;
      },
    },
    progress: {
      claim: async (_, { made, since }, token) => {
        if (stored && stored.token > token) return null;
        const known = stored ?? { made, position: since, deliveredAtMs: null, failures: 0, failure: null };
        stored = { ...known, token, nextTryAtMs: null };
        return stored;
      },
      save: async (_, progress) => {
        if (stored?.token !== progress.token) return false;
        stored = progress;
        saved.push(progress);
        return true;
      },
    },
    allow: new AllowList(["10.0.0.0/8"]),
    post: async (_, { headers, body }) => {
      const { type, data } = JSON.parse(body);
      expect(headers["webhook-id"]).toBe(data.id);
      posts.push({ atMs: clock.monotonicMs(), what: data.member ? `${type} ${data.member.id}` : type });
      return answer();
    },
    clock,
    random,
    observer: {
      attempted: (outcome) => void outcomes.push(outcome),
      failing: (_, detail, failures) => void outcomes.push(`failing: ${detail} (${failures})`),
      recovered: () => void outcomes.push("recovered"),
    },
  };
  const one = new HookDelivery("search", { ...HOOK, events }, 3, dependencies);
  return {
    one,
    clock,
    asked,
    queue,
    posts,
    saved,
    outcomes,
    what: () => posts.map(({ what }) => what),
    answering: (how: () => Posted) => {
      answer = how;
    },
    /** Another instance has a lease with this token. */
    taken: (token: number) => {
      stored = stored && { ...stored, token };
    },
    stored: () => stored,
  };
}

const status = (code: number): Posted => ({ kind: "answered", status: code, text: null });

describe("a hook", () => {
  test("begins where it was, and its place is noted soon after what was delivered", async () => {
    const { one, clock, asked, queue, what, stored } = delivery();
    queue.push(messages(message("m1", "at-1"), message("m2", "at-2")));
    void one.run();
    await clock.advance(300);
    expect(asked).toEqual(["at-0"]);
    expect(what()).toEqual(["joined m1", "joined m2"]);
    expect(stored()).toMatchObject({ position: "at-2", token: 3, failures: 0 });
    one.stop();
  });

  test("that fails is tried again for ever, later and later, by full jitter and within a minute", async () => {
    const { one, clock, queue, posts, answering, outcomes, stored } = delivery({ random: () => 0.999 });
    answering(() => status(500));
    queue.push(messages(message("m1", "at-1")));
    void one.run();
    await clock.advance(600_000);
    const pauses = posts.slice(1).map(({ atMs }, i) => Math.round((atMs - (posts[i]?.atMs ?? 0)) / 1_000));
    expect(pauses.slice(0, 8)).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    expect(posts.length).toBeGreaterThan(12);
    expect(stored()).toMatchObject({ position: "at-0", failure: "status 500", failures: posts.length });
    expect(outcomes.filter((one) => one.startsWith("failing"))).toEqual(["failing: status 500 (3)"]);
    answering(() => status(204));
    await clock.advance(61_000);
    expect(outcomes.slice(-2)).toEqual(["delivered", "recovered"]);
    await clock.advance(1_000);
    expect(stored()).toMatchObject({ position: "at-1", failures: 0, failure: null, nextTryAtMs: null });
    one.stop();
  });

  test.each([301, 302, 400, 404, 410, 500])("is not told by an answer of %d", async (code) => {
    const { one, clock, queue, answering, outcomes } = delivery();
    answering(() => status(code));
    queue.push(messages(message("m1", "at-1")));
    void one.run();
    await clock.advance(0);
    expect(outcomes).toEqual(["refused"]);
    one.stop();
  });

  test("towards a host that is not allowed any more is not connected to", async () => {
    const { one, clock, queue, posts, outcomes, stored } = delivery();
    one.change({ ...HOOK, url: "http://192.168.0.1/" });
    queue.push(messages(message("m1", "at-1")));
    void one.run();
    await clock.advance(0);
    expect(posts).toEqual([]);
    expect(outcomes).toEqual(["forbidden"]);
    expect(stored()?.failure).toBe("its host is not allowed");
    one.stop();
  });

  test("that has been changed tries what failed at once", async () => {
    const { one, clock, queue, posts, answering } = delivery({ random: () => 0.999 });
    answering(() => status(500));
    queue.push(messages(message("m1", "at-1")));
    void one.run();
    await clock.advance(60_000);
    const before = posts.length;
    one.change({ ...HOOK, url: "http://10.0.0.8/" });
    await clock.advance(0);
    expect(posts.length).toBe(before + 1);
    one.stop();
  });

  test("ends once another instance tells it, and changes nothing any more", async () => {
    const { one, clock, queue, posts, taken, stored } = delivery();
    queue.push(messages(message("m1", "at-1")));
    const run = one.run();
    await clock.advance(300);
    taken(4);
    queue.push(messages(message("m2", "at-2")));
    await clock.advance(6_000);
    await run;
    const before = posts.length;
    queue.push(messages(message("m3", "at-3")));
    await clock.advance(10_000);
    expect(posts.length).toBe(before);
    expect(stored()).toMatchObject({ token: 4, position: "at-1" });
  });

  test("does not begin under a token that is older than the one it was told by", async () => {
    const { one, clock, queue, posts, taken } = delivery();
    queue.push(messages(message("m1", "at-1")));
    void one.run();
    await clock.advance(300);
    one.stop();
    taken(9);
    const before = posts.length;
    await one.run();
    expect(posts.length).toBe(before);
  });

  test("that was too slow begins again from where it is", async () => {
    const { one, clock, queue, asked } = delivery();
    queue.push(messages(message("m1", "at-1")), { kind: "behind" });
    void one.run();
    await clock.advance(300);
    expect(asked).toEqual(["at-0", "at-1"]);
    one.stop();
  });

  test("whose place is too old is told so, whatever it asks for, and goes on behind that", async () => {
    const { one, clock, queue, what, stored } = delivery({ events: ["expired"] });
    const snapshot = { members: [event("m1"), event("m2")], ringId: "ring" };
    queue.push({ kind: "reset", why: "too old" }, { kind: "snapshot", snapshot, position: "at-9" });
    queue.push(messages(message("m1", "at-10", "expired"), message("m2", "at-11", "left")));
    void one.run();
    await clock.advance(6_000);
    expect(what()).toEqual(["reset", "expired m1"]);
    expect(stored()?.position).toBe("at-11");
    one.stop();
  });

  test("that was told to begin anew goes on from there, also where this instance dies at once", async () => {
    const { one, clock, queue, answering, stored } = delivery();
    const snapshot = { members: [event("m1")], ringId: "ring" };
    queue.push({ kind: "reset", why: "too old" }, { kind: "snapshot", snapshot, position: "at-9" });
    queue.push(messages(message("m1", "at-10")));
    const places: (string | null | undefined)[] = [];
    answering(() => {
      places.push(stored()?.position);
      return { kind: "answered", status: 200, text: "" };
    });
    void one.run();
    await clock.advance(10);
    expect(places).toEqual(["at-0", "at-9"]);
    one.stop();
  });

  test("gets what it missed, and who is suspect now", async () => {
    const { one, clock, queue, what, stored } = delivery();
    const suspected = [event("m2", "suspect")];
    queue.push({
      kind: "missed",
      missed: [event("m1")],
      suspects: ["m2"],
      suspected,
      ringId: "ring",
      position: "at-5",
    });
    void one.run();
    await clock.advance(300);
    expect(what()).toEqual(["joined m1", "suspect m2"]);
    expect(stored()?.position).toBe("at-5");
    one.stop();
  });
});
