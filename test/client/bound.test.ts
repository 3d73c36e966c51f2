import { beforeAll, describe, expect, test } from "vitest";
import { BindingMember } from "../../src/client/bound.js";
import { Quorate } from "../../src/client/quorate.js";
import { Pair } from "../helpers/pair.js";
import { freshName } from "../helpers/service.js";
import { FakeService, granted, type Received, type Reply, released } from "./fake-service.js";

const MEMBER = {
  id: "search-1",
  incarnation: 1,
  memberKey: "key",
  ttlMs: 9_000,
  heartbeatIntervalMs: 3_000,
};
const TTL_MS = 9_000;
type Told = { held?: object[]; lost?: object[] } | Reply;

/** A member with its heartbeats, which tell of leases what `told` says. */
async function bound(told: (beat: Received) => Told | Promise<Told>) {
  const service = new FakeService(async (request) => {
    const { method, path } = request;
    if (method === "PUT") return { status: 200, body: MEMBER };
    if (method === "DELETE") return { status: 200, body: { left: true } };
    if (path.endsWith("/heartbeat")) {
      const leases = await told(request);
      if (leases === undefined || leases instanceof Error || "status" in leases) return leases;
      return { status: 200, body: { ...MEMBER, leases: { held: [], lost: [], ...leases } } };
    }
    return /release|resign/.test(path) ? released : granted(request);
  });
  const quorate = new Quorate({ urls: ["http://a"] }, service.world);
  const options = { id: "search-1", address: "10.0.0.1:9000" };
  const member = await BindingMember.join(quorate, "search", options);
  return { service, member, clock: service.clock };
}

const heldLock = (name: string, more = {}) => ({
  kind: "locks",
  names: [name],
  mode: "exclusive",
  fencingToken: 7,
  validForMs: 8_000,
  ...more,
});

describe("a lease that is bound to a member", () => {
  test("names it, and is kept by its heartbeats alone", async () => {
    const { service, member, clock } = await bound(() => ({ held: [heldLock("orders-42")] }));
    const lease = await member.acquireLock("orders-42", { ttlMs: TTL_MS });
    const proof = { service: "search", id: "search-1", incarnation: 1, memberKey: "key" };
    expect(service.received.at(-1)?.body).toMatchObject({ member: proof });
    await clock.advance(60_000);
    expect(lease.signal.aborted).toBe(false);
    expect(lease.remainingMs()).toBeGreaterThan(4_000);
    expect(service.paths.filter((path) => path.endsWith("/renew"))).toEqual([]);
    expect(service.received.at(-1)?.body).toMatchObject({ incarnation: 1, memberKey: "key" });
    await lease.release();
    await member.membership.leave();
    expect(clock.pending).toBe(0);
  });

  test("is lost when a heartbeat says so, with the reason, and others are not", async () => {
    let lost: object[] = [];
    const { member, clock } = await bound(() => ({ held: [heldLock("b")], lost }));
    const [a, b] = [
      await member.acquireLock("a", { ttlMs: TTL_MS }),
      await member.acquireLock("b", { ttlMs: TTL_MS }),
    ];
    lost = [{ kind: "locks", names: ["a"], fencingToken: 7, lost: { why: "broken", reason: "stuck" } }];
    await clock.advance(3_000);
    expect(a.signal.reason).toMatchObject({ code: "lease_lost", lost: { why: "broken", reason: "stuck" } });
    expect(b.signal.aborted).toBe(false);
    await member.membership.leave();
  });

  test("that heartbeats do not tell of ends in its time", async () => {
    const { member, clock } = await bound(() => ({
      held: [heldLock("orders-42", { fencingToken: 5 }), heldLock("other")],
    }));
    const lease = await member.acquireLock("orders-42", { ttlMs: TTL_MS });
    await clock.advance(8_900);
    expect(lease.signal.aborted).toBe(false);
    await clock.advance(100);
    expect(lease.signal.reason).toMatchObject({ code: "deadline" });
    await member.membership.leave();
  });

  test("is trusted from the moment at which the heartbeat was sent", async () => {
    const { member, clock } = await bound(async () => {
      await clock.sleep(1_000);
      return { held: [heldLock("orders-42", { validForMs: 8_500 })] };
    });
    const lease = await member.acquireLock("orders-42", { ttlMs: TTL_MS });
    await clock.advance(3_800);
    // Sent after 2.7 s, answered a second later.
    expect(lease.remainingMs()).toBeLessThanOrEqual(2_700 + 8_500 - 3_800);
    expect(lease.remainingMs()).toBeGreaterThan(2_700 + 8_500 - 3_800 - 10);
    await member.membership.leave();
  });

  test("one of several readers with one token is told of only where all are", async () => {
    let held = [heldLock("orders-42"), heldLock("orders-42")];
    const { member, clock } = await bound(() => ({ held }));
    const take = () => member.acquireLock("orders-42", { ttlMs: TTL_MS, mode: "shared" });
    const leases = [await take(), await take()];
    await clock.advance(12_000);
    expect(leases.map(({ signal }) => signal.aborted)).toEqual([false, false]);
    held = held.slice(1);
    await clock.advance(12_000);
    expect(leases.map(({ signal }) => signal.aborted)).toEqual([true, true]);
    await member.membership.leave();
  });
});

describe("two leases with one token", () => {
  test("are both trusted for as long as the shorter one", async () => {
    let held = [heldLock("orders-42", { validForMs: 8_900 }), heldLock("orders-42", { validForMs: 4_000 })];
    const { member, clock } = await bound(() => ({ held }));
    const take = (ttlMs: number) => member.acquireLock("orders-42", { ttlMs, mode: "shared" });
    const leases = [await take(TTL_MS), await take(5_000)];
    await clock.advance(12_000);
    expect(leases.map(({ signal }) => signal.aborted)).toEqual([false, false]);
    held = [];
    await clock.advance(5_000);
    expect(leases[1]?.signal.aborted).toBe(true);
    await member.membership.leave();
  });
});

describe("against real instances", () => {
  const pair = new Pair();
  let quorate: Quorate;
  beforeAll(async () => {
    quorate = new Quorate({ urls: [await pair.one.url(), await pair.other.url()] });
  });

  test("leases of all kinds outlive their time to live with their member, and end without it", async () => {
    const member = await BindingMember.join(quorate, freshName(), {
      id: "m",
      address: "10.0.0.1:9000",
      ttlMs: 3_000,
    });
    const ttlMs = 4_000;
    const names = [freshName("b"), freshName("a")];
    const leases = [
      await member.acquireLock(names, { ttlMs }),
      await member.acquireLock(freshName(), { ttlMs, mode: "shared" }),
      await member.acquirePermits(freshName(), { limit: 3, permits: 2, ttlMs }),
    ];
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    expect(leases.map(({ signal }) => signal.aborted)).toEqual([false, false, false]);
    const worked = await member.withLock(freshName(), { ttlMs }, ({ fencingToken }) => fencingToken);
    expect(worked).toBeGreaterThan(0);
    await member.membership.leave();
    await expect
      .poll(() => leases.map(({ signal }) => signal.aborted), { timeout: 10_000 })
      .toEqual([true, true, true]);
  });
});
