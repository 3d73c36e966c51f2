import { beforeAll, describe, expect, test } from "vitest";
import { type Election, type Lease, Quorate, type Term } from "../../src/client/quorate.js";
import { settled } from "../helpers/fake-clock.js";
import { Pair } from "../helpers/pair.js";
import { freshName } from "../helpers/service.js";
import { FakeService, granted, problem, type Received, type Reply } from "./fake-service.js";

const actOf = ({ path }: Received) => path.split("/").at(-1);
const resigned: Reply = { status: 200, body: { resigned: true } };

/** Resolves when the signal aborts. */
const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

/** An election that each campaign wins, term after term, unless `reply` has something else. */
function candidate(reply: (request: Received) => Reply | "as usual" = () => "as usual") {
  let term = 0;
  const service: FakeService = new FakeService((request) => {
    const own = reply(request);
    if (own !== "as usual") return own;
    if (actOf(request) === "resign") return resigned;
    if (actOf(request) === "campaign") term++;
    return granted(request, { fencingToken: undefined, term, name: "billing", candidate: null });
  });
  return { service, clock: service.clock, quorate: new Quorate({ urls: ["http://a"] }, service.world) };
}

describe("a candidate that is elected", () => {
  test("leads until its work is over, and then resigns", async () => {
    const { service, clock, quorate } = candidate();
    const leading = quorate.lead("billing", {
      ttlMs: 9_000,
      candidate: "worker-7",
      onElected: async ({ fencingToken }) => {
        await clock.sleep(20_000);
        return fencingToken;
      },
    });
    await clock.advance(20_000);
    expect(await leading).toBe(1);
    const [first, ...rest] = service.received;
    expect(first).toMatchObject({ path: "/v1/elections/billing/campaign", body: { candidate: "worker-7" } });
    expect(rest.at(0)).toMatchObject({ path: "/v1/elections/billing/renew", body: { term: 1 } });
    expect(rest.at(-1)).toMatchObject({ path: "/v1/elections/billing/resign" });
  });

  test("is told when its term is lost, ends its work, and campaigns again", async () => {
    const told: string[] = [];
    const lost = problem(410, "lease_lost", { lost: { why: "expired" } });
    const { clock, quorate } = candidate((request) =>
      actOf(request) === "renew" && request.body.term === 1 ? lost : "as usual",
    );
    const leading = quorate.lead("billing", {
      ttlMs: 9_000,
      onElected: async ({ fencingToken }, stop) => {
        told.push(`elected ${fencingToken}`);
        if (fencingToken === 2) return "done";
        await aborted(stop);
        await clock.sleep(500);
        told.push("drained");
        return "not the result";
      },
      onLost: ({ code }) => told.push(code),
    });
    await clock.advance(10_000);
    expect(await leading).toBe("done");
    expect(told).toEqual(["elected 1", "lease_lost", "drained", "elected 2"]);
  });

  test("and has lost the term before it could begin, does not begin, and campaigns again", async () => {
    const { service, clock } = candidate();
    let blockedMs = 0;
    const blocked = { after: clock.after, monotonicMs: () => clock.monotonicMs() + blockedMs };
    // As the event loop may be blocked between the answer and the work.
    const renewal = () => {
      if (service.received.length === 1) blockedMs = 10_000;
      return () => {};
    };
    const quorate = new Quorate({ urls: ["http://a"], renewal }, { ...service.world, clock: blocked });
    const terms: number[] = [];
    await quorate.lead("billing", {
      ttlMs: 9_000,
      onElected: async ({ fencingToken }) => terms.push(fencingToken),
    });
    expect(terms).toEqual([2]);
  });

  test("proclaims for as long as its term lasts, and as its caller wants to wait", async () => {
    const { clock, quorate } = candidate((request) =>
      actOf(request) === "proclaim" ? undefined : "as usual",
    );
    const stop = new AbortController();
    const onElected = (term: Lease<Term>) =>
      Promise.all(
        [{ signal: stop.signal }, { timeoutMs: 500 }].map((options) =>
          quorate.proclaim(term, 1, options).catch((error: unknown) => error),
        ),
      );
    const leading = quorate.lead("billing", { ttlMs: 9_000, onElected });
    await clock.advance(400);
    stop.abort("enough");
    await clock.advance(100);
    expect(await leading).toMatchObject(["enough", { code: "unreachable" }]);
  });

  test("keeps its term until the work is drained when it is to stop", async () => {
    const stop = new AbortController();
    const { service, clock, quorate } = candidate();
    const leading = quorate.lead("billing", {
      ttlMs: 9_000,
      signal: stop.signal,
      onElected: async (_term, signal) => {
        await aborted(signal);
        await clock.sleep(30_000);
      },
    });
    await clock.advance(1_000);
    stop.abort();
    await clock.advance(30_000);
    await leading;
    const acts = service.received.map(actOf);
    expect(acts.filter((act) => act === "renew").length).toBeGreaterThan(7);
    expect(acts.filter((act) => act === "campaign")).toHaveLength(1);
    expect([acts.at(-1), service.received.at(-1)?.atMs]).toEqual(["resign", 31_000]);
    expect(clock.pending).toBe(0);
  });

  test("throws what its work throws, after it has resigned; but not that its work was aborted", async () => {
    const { service, clock, quorate } = candidate();
    const failing = quorate.lead("billing", {
      ttlMs: 9_000,
      onElected: () => Promise.reject(new Error("mine")),
    });
    await expect(failing).rejects.toThrow("mine");
    expect(service.received.map(actOf)).toEqual(["campaign", "resign"]);

    const stop = new AbortController();
    const options = { ttlMs: 9_000, signal: stop.signal };
    const sleeping = quorate.lead("billing", {
      ...options,
      onElected: (_, signal) => clock.sleep(60_000, signal),
    });
    await settled();
    stop.abort();
    expect(await sleeping).toBeUndefined();
  });
});

describe("a candidate that is not elected", () => {
  test("campaigns until it is", async () => {
    const { service, clock, quorate } = candidate(({ atMs }) =>
      atMs < 30_000 ? problem(503, "no_quorum") : "as usual",
    );
    const leading = quorate.lead("billing", { ttlMs: 9_000, onElected: async () => "led" });
    await clock.advance(60_000);
    expect(await leading).toBe("led");
    expect(service.received.length).toBeLessThan(60);
  });

  test.each([
    [
      "what it was granted is gone before it heard of that",
      problem(410, "lease_lost", { lost: { why: "broken" } }),
    ],
    ["too many wait", problem(409, "too_many", { retryAfterMs: 1_000 })],
  ])("campaigns again where %s", async (_, gone) => {
    const { service, clock, quorate } = candidate(() => (service.received.length < 3 ? gone : "as usual"));
    const leading = quorate.lead("billing", { ttlMs: 9_000, onElected: async () => "led" });
    await clock.advance(10_000);
    expect(await leading).toBe("led");
    const campaigns = service.received.filter((request) => actOf(request) === "campaign");
    expect(new Set(campaigns.map(({ body }) => body.leaseId)).size).toBeGreaterThan(1);
  });

  test("ends when it is to stop, and fails where campaigning is wrong", async () => {
    const stop = new AbortController();
    const onElected = () => expect.fail("elected");
    const waiting = candidate(() => undefined);
    const leading = waiting.quorate.lead("billing", { ttlMs: 9_000, signal: stop.signal, onElected });
    await settled();
    stop.abort();
    expect(await leading).toBeUndefined();
    const wrong = candidate(() => problem(400, "invalid_request"));
    await expect(wrong.quorate.lead("billing", { ttlMs: 1, onElected })).rejects.toMatchObject({
      code: "invalid_request",
    });
  });
});

test("an observer goes on at the state that it has, at another instance, after failures and long silence", async () => {
  const election = (term: number) => ({
    name: "billing",
    leader: { term },
    known: true,
    waiting: 0,
    queue: [],
  });
  const stop = new AbortController();
  const service: FakeService = new FakeService(async ({ headers, atMs }): Promise<Reply> => {
    const seen = headers.get("if-none-match");
    if (seen === null) return { status: 200, body: election(1), headers: { etag: '"one"' } };
    if (atMs < 1_000) return new Error("reset");
    if (atMs < 20_000) return problem(503, "no_quorum", { retryAfterMs: 100 });
    await service.clock.sleep(15_000);
    if (service.clock.monotonicMs() < 60_000 || seen === '"two"') return { status: 304 };
    return { status: 200, body: election(2), headers: { etag: '"two"' } };
  });
  const quorate = new Quorate({ urls: ["http://a", "http://b"] }, service.world);
  const seen: Election[] = [];
  const observing = (async () => {
    for await (const state of quorate.observe("billing", { signal: stop.signal })) seen.push(state);
  })();
  await service.clock.advance(120_000);
  stop.abort("enough");
  await expect(observing).rejects.toBe("enough");
  expect(seen.map(({ leader }) => leader?.term)).toEqual([1, 2]);
  expect(new Set(service.received.map(({ instance }) => instance)).size).toBe(2);
});

test("an observer that is not told of ETags reads again after a pause each time", async () => {
  const stop = new AbortController();
  const service = new FakeService(() => ({ status: 200, body: { name: "billing", leader: null } }));
  const quorate = new Quorate({ urls: ["http://a"] }, service.world);
  const observing = (async () => {
    for await (const _ of quorate.observe("billing", { signal: stop.signal }))
      if (service.received.length > 1_000) throw new Error("it reads without a pause");
  })();
  const outcome = observing.catch((error: unknown) => error);
  await service.clock.advance(60_000);
  stop.abort("enough");
  expect(await outcome).toBe("enough");
  expect(service.received.length).toBeLessThan(100);
});

describe("against real instances", () => {
  const pair = new Pair();
  let quorate: Quorate;
  beforeAll(async () => {
    quorate = new Quorate({ urls: [await pair.one.url(), await pair.other.url()] });
  });

  test("one of two candidates leads at a time, and observers see them one after the other", async () => {
    const name = freshName();
    const ended = new AbortController();
    const seen: unknown[] = [];
    const observing = (async () => {
      for await (const { leader } of quorate.observe(name, { signal: ended.signal })) {
        if (leader) seen.push([leader.candidate, leader.value]);
        if (seen.length === 4) break;
      }
    })();
    let leaders = 0;
    const candidacy = (label: string) =>
      quorate.lead(name, {
        ttlMs: 20_000,
        candidate: label,
        value: 1,
        onElected: async (term) => {
          leaders++;
          await new Promise((resolve) => setTimeout(resolve, 400));
          await quorate.proclaim(term, 2);
          await new Promise((resolve) => setTimeout(resolve, 400));
          return leaders--;
        },
      });
    expect(await Promise.all([candidacy("a"), candidacy("b")])).toEqual([1, 1]);
    await observing;
    const first = (seen[0] as [string])[0];
    const second = first === "a" ? "b" : "a";
    expect(seen).toEqual([
      [first, 1],
      [first, 2],
      [second, 1],
      [second, 2],
    ]);
  });
});
