import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Arrival, Limiter, type Ticket } from "../../src/algorithms/limiter.js";
import { PATIENCE_MS } from "../../src/algorithms/standing-queue.js";
import { type Limiting, Plant } from "../helpers/plant.js";

const QUEUED_MAX = 20_000;
/** Requests that an instance serves a ms, about. */
const RATE = 8;

const plant = (rate = RATE, roundTripMs = 1, limiter: Limiting = new Limiter(QUEUED_MAX)) =>
  new Plant(limiter, rate, roundTripMs);

/** The usual mistake: so many in flight, so many in the queue, whatever comes beyond is refused. */
class CountingLimiter extends Limiter {
  override arrive(arrival: Arrival, nowMs: number): Ticket | null {
    return this.queued("ordinary") >= 200 ? null : super.arrive(arrival, nowMs);
  }
}

/** Never refuses anybody. */
class EndlessQueue extends Limiter {
  override arrive(arrival: Arrival, nowMs: number): Ticket | null {
    return super.arrive({ ...arrival, patienceMs: 1e9, priority: "patient" }, nowMs);
  }
}

describe("offered more than can be served", () => {
  const overloaded = (times: number, limiter?: Limiting, rate = RATE, roundTripMs = 1) => {
    const service = plant(rate, roundTripMs, limiter);
    service.offer(times * rate, 5_000);
    const share = service.goodput(1_000, 5_000) / rate;
    return { share, p99Ms: service.latencyMs(0.99), drainedMs: service.drain(), shed: service.shed.length };
  };

  test.each([1.05, 2, 3, 10])(
    "%f times: as much is served as can be, soon, and the end is its end",
    (times) => {
      const { share, p99Ms, drainedMs } = overloaded(times);
      expect(share).toBeGreaterThan(0.98);
      expect(p99Ms).toBeLessThan(500);
      expect(drainedMs).toBeLessThan(500);
    },
  );

  test.each([
    ["slow", 0.5, 1],
    ["fast", 30, 1],
    ["far from its primaries", RATE, 40],
    ["slow, and far from them", 2, 20],
  ])("by an instance that is %s: the same", (_, rate, roundTripMs) => {
    const { share, p99Ms, drainedMs } = overloaded(3, undefined, rate, roundTripMs);
    expect(share).toBeGreaterThan(0.98);
    expect(p99Ms).toBeLessThan(500);
    expect(drainedMs).toBeLessThan(500);
  });

  test("a queue without an end is caught by that", () => {
    expect(overloaded(3, new EndlessQueue(1e9)).p99Ms).toBeGreaterThan(2_000);
  });

  test.each([0.5, 0.95])("%f times what can be served: nothing is refused, and nobody waits", (times) => {
    const { shed, p99Ms } = overloaded(times);
    expect(shed).toBe(0);
    expect(p99Ms).toBeLessThan(5);
  });

  test("what keeps a lease is never refused, nor late", () => {
    const service = plant();
    service.run(5_000, () => {
      service.arrive(24);
      service.arrive(2, "urgent");
    });
    expect(service.shed.filter(({ priority }) => priority === "urgent")).toEqual([]);
    const urgent = service.answered.filter(({ priority }) => priority === "urgent");
    expect(urgent.length).toBeGreaterThan(9_000);
    expect(Math.max(...urgent.map(({ latencyMs }) => latencyMs))).toBeLessThan(100);
  });

  test("once it is over a burst has all of its patience again", () => {
    const service = plant();
    service.offer(3 * RATE, 3_000);
    service.offer(RATE / 2, 1_000);
    const before = service.shed.length;
    service.arrive(0.8 * RATE * PATIENCE_MS);
    service.drain();
    expect(service.shed.length).toBe(before);
  });
});

describe("a burst", () => {
  /** What was shed of a burst that takes this share of the patience that it has. */
  const shedOf = (limiter: Limiting, rate: number, share: number, patienceMs: number) => {
    const service = plant(rate, 1, limiter);
    service.run(1_000);
    const priority = patienceMs > PATIENCE_MS ? "patient" : "ordinary";
    service.arrive(Math.floor(share * rate * patienceMs), priority, patienceMs);
    service.drain();
    return service.shed.length;
  };

  test("that is served within its patience is never shed, however large", () => {
    const share = fc.double({ min: 0.01, max: 0.95, noNaN: true });
    const rate = fc.double({ min: 0.5, max: 30, noNaN: true });
    fc.assert(
      fc.property(share, rate, (...burst) => shedOf(new Limiter(QUEUED_MAX), burst[1], burst[0], 500) === 0),
      { numRuns: 50 },
    );
  });

  test("a limiter that counts is caught by that", () => {
    expect(shedOf(new CountingLimiter(QUEUED_MAX), RATE, 0.5, PATIENCE_MS)).toBeGreaterThan(1_000);
  });

  test("of 5,000 that can wait for 20 s is served in its time", () => {
    const service = plant();
    service.arrive(5_000, "patient", 20_000);
    service.drain();
    expect(service.shed).toEqual([]);
    expect(service.answered.length).toBe(5_000);
  });

  test("of those that can wait keeps nobody out who cannot, and is not kept out itself", () => {
    const service = plant();
    service.arrive(5_000, "patient", 20_000);
    service.offer(RATE / 2, 500);
    const served = service.answered.filter(({ priority }) => priority === "patient").length;
    expect(served).toBeGreaterThan(RATE * 500 * 0.15);
    service.drain();
    expect(service.shed).toEqual([]);
    const others = service.answered.filter(({ priority }) => priority === "ordinary");
    expect(Math.max(...others.map(({ latencyMs }) => latencyMs))).toBeLessThan(200);
  });

  test("of more than memory is for is cut off at the bound", () => {
    const limiter = new Limiter(1_000);
    const service = plant(RATE, 1, limiter);
    service.arrive(2_000, "patient", 20_000);
    expect(limiter.queued("patient")).toBe(1_000);
    expect(service.shed.length).toBe(1_000 - limiter.limit);
  });
});

describe("a stall", () => {
  test("of the primaries is over as soon as it is over", () => {
    const service = plant();
    service.offer(RATE * 0.7, 1_000);
    service.rate = 0;
    service.offer(RATE * 0.7, 1_500);
    service.rate = RATE;
    service.offer(RATE * 0.7, 1_000);
    const before = service.shed.length;
    service.offer(RATE * 0.7, 3_000);
    expect(service.shed.length).toBe(before);
    expect(service.goodput(service.nowMs - 2_000, service.nowMs)).toBeCloseTo(RATE * 0.7, 0);
  });

  test("of this process is not taken for the patience of those in the queue", () => {
    const limiter = new Limiter(QUEUED_MAX);
    const decided: string[] = [];
    const arrive = (nowMs: number) =>
      limiter.arrive({ priority: "urgent", units: 1, arrivedMs: nowMs, patienceMs: PATIENCE_MS }, nowMs);
    const inFlight = Array.from({ length: limiter.limit }, () => arrive(0) as Ticket);
    const waiting = arrive(0) as Ticket;
    waiting.decided = (how) => decided.push(how);
    limiter.expire(10);
    limiter.expire(30);
    limiter.expire(3_000);
    expect(decided).toEqual([]);
    limiter.leave(inFlight[0] as Ticket, 3_001);
    expect(decided).toEqual(["admitted"]);
  });
});

describe("what waits for a lease", () => {
  const full = () => {
    const limiter = new Limiter(QUEUED_MAX);
    const arrive = (priority: Arrival["priority"] = "ordinary", units = 1) =>
      limiter.arrive({ priority, units, arrivedMs: 0, patienceMs: PATIENCE_MS }, 0) as Ticket;
    return { limiter, arrive, tickets: Array.from({ length: limiter.limit }, () => arrive()) };
  };

  test("is not in flight: it lets the next one in", () => {
    const { limiter, arrive, tickets } = full();
    const next = arrive();
    expect(next.state).toBe("queued");
    limiter.pause(tickets[0] as Ticket, 1);
    expect(next.state).toBe("in_flight");
    expect(limiter.inFlight).toBe(limiter.limit);
  });

  test("goes on before all others, whenever that is", () => {
    const { limiter, arrive, tickets } = full();
    const [first, second] = tickets as [Ticket, Ticket];
    limiter.pause(first, 1);
    arrive();
    const urgent = arrive("urgent");
    expect(limiter.resume(first, 2)).toBe(false);
    limiter.expire(2);
    limiter.expire(60_000);
    limiter.leave(second, 60_000);
    expect(first.state).toBe("in_flight");
    expect(urgent.state).not.toBe("in_flight");
  });

  test("goes on at once where there is room, and takes none when it is over", () => {
    const { limiter, tickets } = full();
    const first = tickets[0] as Ticket;
    limiter.pause(first, 1);
    expect(limiter.resume(first, 2)).toBe(true);
    limiter.pause(first, 3);
    limiter.leave(first, 4);
    limiter.leave(first, 5);
    expect(limiter.inFlight).toBe(limiter.limit - 1);
    for (const ticket of tickets.slice(1)) limiter.leave(ticket, 6);
    expect(limiter.idle).toBe(true);
  });

  test("what is withdrawn from the queue is told nothing, and forgotten", () => {
    const { limiter, arrive, tickets } = full();
    const gone = arrive();
    const stays = arrive();
    gone.decided = () => expect.unreachable();
    limiter.leave(gone, 1);
    limiter.leave(tickets[0] as Ticket, 2);
    expect(stays.state).toBe("in_flight");
  });

  test("what is large counts more", () => {
    const { limiter, arrive, tickets } = full();
    for (const ticket of tickets) limiter.leave(ticket, 1);
    arrive("ordinary", 16);
    expect(limiter.inFlight).toBe(16);
  });
});
