import { describe, expect, test, vi } from "vitest";
import { GUARD_MS } from "../../../src/algorithms/guard.js";
import type { MemberPage } from "../../../src/primitives/members/member-pages.js";
import { inVirtualTime, type VirtualDeployment } from "../../simulation/virtual-time.js";

// The guard against mass expiry, in virtual time, of which half a minute takes some seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const SERVICE = "search";
const TTL_MS = 3_000;
const registration = (id: string) => ({
  address: `${id}:1`,
  weight: 1,
  zone: null,
  tags: [],
  metadata: null,
});
const idsOf = (members: number) => Array.from({ length: members }, (_, i) => `m${i}`);

/** A service whose members send heartbeats for as long as `sends` says. */
async function service(
  { one, sleep }: VirtualDeployment,
  ids: readonly string[],
  sends: (id: string) => boolean,
): Promise<{ stop: () => void }> {
  let stopped = false;
  for (const id of ids) await one.core.membership.register(SERVICE, id, TTL_MS, registration(id));
  for (const [place, id] of ids.entries()) {
    const live = async () => {
      await sleep((place * TTL_MS) / 3 / ids.length);
      for (; !stopped; await sleep(TTL_MS / 3))
        if (sends(id)) await one.core.membership.heartbeat({ service: SERVICE, id }).catch(() => {});
    };
    void live();
  }
  return {
    stop: () => {
      stopped = true;
    },
  };
}

const listed = ({ other }: VirtualDeployment): Promise<MemberPage> =>
  other.core.membership.pages.page(SERVICE, null, 1_000);
const inWords = ({ members }: MemberPage) => members.map(({ id, status }) => `${id} ${status}`);

/** What the list was like, whenever that changed, with the time since the beginning. */
async function history(deployment: VirtualDeployment, ms: number) {
  const startedMs = deployment.nowMs();
  const seen: { readonly atMs: number; readonly members: string; readonly guardEndsInMs: number | null }[] =
    [];
  while (deployment.nowMs() - startedMs < ms) {
    const page = await listed(deployment);
    const members = inWords(page).join(", ");
    if (members !== seen.at(-1)?.members)
      seen.push({ atMs: deployment.nowMs() - startedMs, members, guardEndsInMs: page.guardEndsInMs });
    await deployment.sleep(200);
  }
  return seen;
}

const all = (ids: readonly string[], status: string) => ids.map((id) => `${id} ${status}`).join(", ");

describe("a service whose members fall silent together", () => {
  const ids = idsOf(6);

  test("keeps them as suspect, none is gone in between, until the guard ends; then they have expired", async () => {
    await inVirtualTime(async (deployment) => {
      let sends = true;
      const { stop } = await service(deployment, ids, () => sends);
      await deployment.sleep(TTL_MS);
      sends = false;
      const seen = await history(deployment, TTL_MS + GUARD_MS + 2_000);
      stop();
      expect(seen[0]?.members).toBe(all(ids, "up"));
      // Each becomes suspect in its turn.
      for (const { members } of seen.slice(0, -1)) expect(members.split(", ")).toHaveLength(6);
      const [suspect, gone] = [seen.findIndex(({ members }) => members === all(ids, "suspect")), seen.at(-1)];
      expect(suspect).toBeGreaterThan(0);
      expect(seen[suspect]?.guardEndsInMs).toBeGreaterThan(GUARD_MS - TTL_MS);
      expect(seen[suspect]?.guardEndsInMs).toBeLessThanOrEqual(GUARD_MS);
      expect(gone?.guardEndsInMs).toBeNull();
      expect(gone?.members).toBe("");
      expect(gone?.atMs).toBeGreaterThan(GUARD_MS);
      expect(gone?.atMs).toBeLessThan(TTL_MS + 1_000 + GUARD_MS);
    });
  });

  test("has all of them back, in the same incarnation, when their heartbeats come again", async () => {
    await inVirtualTime(async (deployment) => {
      let sends = true;
      const { stop } = await service(deployment, ids, () => sends);
      const before = (await listed(deployment)).members.map(({ incarnation }) => incarnation);
      sends = false;
      await deployment.sleep(15_000);
      expect(inWords(await listed(deployment)).join(", ")).toBe(all(ids, "suspect"));
      const { ringId } = await listed(deployment);
      sends = true;
      const seen = await history(deployment, GUARD_MS);
      stop();
      expect(seen.at(-1)?.members).toBe(all(ids, "up"));
      for (const { members } of seen) expect(members.split(", ")).toHaveLength(6);
      const after = await listed(deployment);
      expect(after.members.map(({ incarnation }) => incarnation)).toEqual(before);
      expect(after.ringId).toBe(ringId);
    });
  });

  test("is not guarded again before as much time has passed", async () => {
    await inVirtualTime(async (deployment) => {
      let sends = true;
      const { stop } = await service(deployment, ids, () => sends);
      sends = false;
      await deployment.sleep(10_000);
      sends = true;
      await deployment.sleep(GUARD_MS);
      expect(inWords(await listed(deployment)).join(", ")).toBe(all(ids, "up"));
      sends = false;
      await deployment.sleep(TTL_MS + 1_000);
      stop();
      expect(await listed(deployment)).toMatchObject({ members: [], guardEndsInMs: null });
    });
  });

  test("is guarded as well where one primary is down", async () => {
    await inVirtualTime(async (deployment) => {
      let sends = true;
      const { stop } = await service(deployment, ids, () => sends);
      deployment.universe.primaries[1]?.kill();
      sends = false;
      const seen = await history(deployment, 15_000);
      stop();
      expect(seen.at(-1)?.members).toBe(all(ids, "suspect"));
      for (const { members } of seen) expect(members.split(", ")).toHaveLength(6);
    });
  });
});

describe("no guard begins", () => {
  test("where half of a service dies: that is not more than the share that is set", async () => {
    await inVirtualTime(async (deployment) => {
      const ids = idsOf(6);
      const dead = ids.slice(0, 3);
      let dying = false;
      const { stop } = await service(deployment, ids, (id) => !dying || !dead.includes(id));
      await deployment.sleep(TTL_MS);
      dying = true;
      await deployment.sleep(TTL_MS + 1_000);
      stop();
      const page = await listed(deployment);
      expect(inWords(page).join(", ")).toBe(all(ids.slice(3), "up"));
      expect(page.guardEndsInMs).toBeNull();
    });
  });

  test("where a service of four dies: it is too small to tell", async () => {
    await inVirtualTime(async (deployment) => {
      let sends = true;
      const { stop } = await service(deployment, idsOf(4), () => sends);
      sends = false;
      await deployment.sleep(TTL_MS + 1_000);
      stop();
      expect(await listed(deployment)).toMatchObject({ members: [], guardEndsInMs: null });
    });
  });

  test("where members leave", async () => {
    await inVirtualTime(async (deployment) => {
      const ids = idsOf(6);
      for (const id of ids)
        await deployment.one.core.membership.register(SERVICE, id, TTL_MS, registration(id));
      for (const id of ids) await deployment.one.core.membership.leave(SERVICE, id);
      await deployment.sleep(TTL_MS + 500);
      expect(await listed(deployment)).toMatchObject({ members: [], guardEndsInMs: null });
    });
  });
});

test("five are enough", async () => {
  await inVirtualTime(async (deployment) => {
    const ids = idsOf(5);
    let sends = true;
    const { stop } = await service(deployment, ids, () => sends);
    sends = false;
    await deployment.sleep(TTL_MS + 2_000);
    stop();
    expect(inWords(await listed(deployment)).join(", ")).toBe(all(ids, "suspect"));
  });
});

test("a member that drains until a certain time does not stay any longer for the guard", async () => {
  await inVirtualTime(async (deployment) => {
    const ids = idsOf(6);
    let sends = true;
    const { stop } = await service(deployment, ids, () => sends);
    await deployment.one.core.membership.update(SERVICE, "m0", { status: "draining", drainMs: 5_000 });
    sends = false;
    await deployment.sleep(4_500);
    expect(inWords(await listed(deployment))).toContain("m0 draining");
    await deployment.sleep(600);
    stop();
    expect(inWords(await listed(deployment)).join(", ")).toBe(all(ids.slice(1), "suspect"));
  });
});
