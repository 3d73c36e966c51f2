import { describe, expect, test } from "vitest";
import { Quorate, type QuorateError } from "../../src/client/quorate.js";
import { Chance } from "../simulation/random.js";
import { FakeService, granted, problem, type Received, type Reply, released } from "./fake-service.js";
import { wrongVariant } from "./variant.js";

// The one thing that a holder relies on: while its signal has not aborted, the lease is held. In virtual time, whatever the
// network does: requests and answers are lost, late or refused, and instances never notice that the client gave up.

const RUNS = 200;

/** What was seen of one lease. */
interface Run {
  readonly seed: number;
  /** When the signal aborted, or the work was over. */
  readonly trustedUntilMs: number;
  /** Until when the primaries held the lease for it. */
  readonly heldUntilMs: number;
  readonly reason: QuorateError | undefined;
  readonly renewals: number;
}

/** One lease under faults. `faults`: the share of requests that meet one. */
async function run(seed: number, faults: number, Client = Quorate): Promise<Run | undefined> {
  const chance = new Chance(seed);
  const ttlMs = chance.between(200, 20_000);
  let heldUntilMs = Number.NEGATIVE_INFINITY;
  let renewals = 0;
  const sleep = (ms: number) => service.clock.sleep(ms);

  const execute = (request: Received): Reply => {
    const nowMs = service.clock.monotonicMs();
    const act = request.path.split("/").at(-1);
    if (act === "release") return released;
    if (act === "renew" && nowMs >= heldUntilMs)
      return problem(410, "lease_lost", { lost: { why: "expired" } });
    if (act === "renew") renewals++;
    const validForMs = Math.floor(request.body.ttlMs * chance.between(0.5, 0.99));
    heldUntilMs = Math.max(heldUntilMs, nowMs + validForMs);
    return granted(request, { validForMs });
  };
  const service = new FakeService(async (request) => {
    if (chance.next() >= faults) {
      await sleep(chance.between(0, 5));
      const reply = execute(request);
      await sleep(chance.between(0, 5));
      return reply;
    }
    // Both ways may take longer than the lease lasts.
    await sleep(chance.between(0, 1.5 * ttlMs) * chance.next());
    const fate = chance.next();
    if (fate < 0.2) return undefined;
    if (fate < 0.4) return new Error("the connection was reset");
    if (fate < 0.5) return problem(503, "no_quorum", { retryAfterMs: 1_000 });
    // As if an operator had broken it: its holder can only be told.
    if (fate < 0.52) return problem(410, "lease_lost", { lost: { why: "broken" } });
    const reply = execute(request);
    await sleep(chance.between(0, 1.5 * ttlMs) * chance.next());
    if (fate < 0.6) return undefined;
    return fate < 0.7 ? new Error("the connection was reset") : reply;
  }, chance.next);

  const client = new Client({ urls: ["http://a", "http://b", "http://c"] }, service.world);
  const workMs = 10 * ttlMs;
  let seen: Run | undefined;
  const outcome = client
    .withLock("orders-42", { ttlMs: Math.floor(ttlMs), timeoutMs: ttlMs }, async ({ signal }) => {
      await service.clock.sleep(workMs, signal).catch(() => {});
      const trustedUntilMs = service.clock.monotonicMs();
      seen = {
        seed,
        trustedUntilMs,
        heldUntilMs,
        reason: signal.reason as QuorateError | undefined,
        renewals,
      };
    })
    .then(
      () => true,
      () => true,
    );
  const over = await Promise.race([outcome, service.clock.advance(20 * ttlMs + 60_000)]);
  expect(over, `seed ${seed}: not over`).toBe(true);
  return seen;
}

async function runs(faults: number): Promise<Run[]> {
  const all: Run[] = [];
  for (let seed = 1; seed <= RUNS; seed++) {
    const seen = await run(seed, faults);
    if (seen) all.push(seen);
  }
  return all;
}

const isTrustedTooLong = ({ trustedUntilMs, heldUntilMs }: Run) => trustedUntilMs > heldUntilMs;

describe("a lease whose signal has not aborted is held", { timeout: 60_000 }, () => {
  test.each([0.2, 0.5, 0.9])("where %d of all requests are lost, late or refused", async (faults) => {
    const all = await runs(faults);
    expect(all.filter(isTrustedTooLong)).toEqual([]);
    // Otherwise this would say little.
    const lost = all.filter(({ reason }) => reason);
    expect(all.length).toBeGreaterThan(RUNS / 4);
    expect(new Set(lost.map(({ reason }) => reason?.code))).toEqual(new Set(["lease_lost", "deadline"]));
    expect(all.filter(({ renewals }) => renewals > 3).length).toBeGreaterThan(10);
  });

  test("and a network without faults costs nobody a lease", async () => {
    const all = await runs(0);
    expect(all).toHaveLength(RUNS);
    expect(all.filter(({ reason }) => reason)).toEqual([]);
  });

  const renewed = "trustedUntilMs(grant.sentAtMs, grant.body)";
  const left = "this.deadline.get() - this.clock";
  test.each([
    [
      "trusts a renewal from its answer on",
      "renewal.ts",
      renewed,
      renewed.replace("grant.sentAtMs", "transport.world.clock.monotonicMs()"),
    ],
    [
      "trusts the whole time to live",
      "validity.ts",
      "{ waitedMs, validForMs }",
      "{ waitedMs, ttlMs: validForMs }",
    ],
    ["allows itself some time more", "validity.ts", left, left.replace("get()", "get() + 50")],
  ])("a client that %s is caught", async (_mistake, file, right, wrong) => {
    const { Quorate: Wrong } = await wrongVariant(file, right, wrong);
    let caught = false;
    for (let seed = 1; seed <= RUNS && !caught; seed++) {
      const seen = await run(seed, 0.5, Wrong);
      caught = seen !== undefined && isTrustedTooLong(seen);
    }
    expect(caught).toBe(true);
  });
});
