import { afterAll, beforeAll, describe, type TestContext, test } from "vitest";
import {
  acquire,
  acquireAtLast,
  allTakePart,
  isListed,
  storedField,
  tokenOf,
} from "../helpers/deployment.js";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../helpers/primaries.js";
import { type Instance, startInstance, until } from "../helpers/service.js";

// For each persistence setting of the primaries, and each loss: what survives. The table of docs/guarantees.md.

const SETTING_NAMES = ["none", "everysec", "always"] as const;
type Setting = (typeof SETTING_NAMES)[number];
type Lose = (primaries: readonly TestPrimary[], setting: Setting) => Promise<unknown>;

const SETTINGS: Record<Setting, readonly string[]> = {
  none: ["--appendonly", "no"],
  everysec: ["--appendfsync", "everysec"],
  always: [],
};

/** The process dies, the machine does not: a file, if there is one, has everything that was acknowledged. */
const killAndStart = async (primary: TestPrimary) => {
  await primary.kill();
  await primary.start();
};

/** The machine dies: of what was not on the disk yet, nothing is left. */
const losePower = (primary: TestPrimary, setting: Setting) =>
  setting === "everysec" ? primary.startCut(0.3) : killAndStart(primary);

const LOSSES: Record<string, Lose> = {
  "one primary is killed": ([one]) => killAndStart(one as TestPrimary),
  "one primary is wiped": ([one]) => (one as TestPrimary).startEmpty(),
  "a majority is killed at once": ([one, other]) =>
    Promise.all([one, other].map((each) => killAndStart(each as TestPrimary))),
  "all machines lose power": (all, setting) => Promise.all(all.map((each) => losePower(each, setting))),
  "all primaries are wiped at once": (all) => Promise.all(all.map((each) => each.startEmpty())),
};

interface Survival {
  /** Whether the holder of a lease can renew it. */
  readonly renewal: boolean;
  /** When somebody else is granted the name at the earliest. */
  readonly nextGrant: "after the lease" | "after the longest lease that is allowed" | "at any time";
  /** Whether a member that registered a while ago is still known. */
  readonly members: boolean;
}

const EVERYTHING: Survival = { renewal: true, nextGrant: "after the lease", members: true };
const NO_HOLDS: Survival = { renewal: false, nextGrant: "after the lease", members: true };
const NO_MARKS: Survival = {
  renewal: false,
  nextGrant: "after the longest lease that is allowed",
  members: true,
};
const NOTHING: Survival = {
  renewal: false,
  nextGrant: "after the longest lease that is allowed",
  members: false,
};
/** A majority lost its last second, and with it the marks that were written in it. */
const NOT_THE_END: Survival = { renewal: false, nextGrant: "at any time", members: true };

// In this order on the same servers: a file is cut while it has nothing but what is looked at in it.
const TABLE: Record<string, Record<Setting, Survival>> = {
  "all machines lose power": { none: NOTHING, everysec: NOT_THE_END, always: NO_HOLDS },
  "one primary is killed": { none: EVERYTHING, everysec: EVERYTHING, always: EVERYTHING },
  "one primary is wiped": { none: EVERYTHING, everysec: EVERYTHING, always: EVERYTHING },
  "a majority is killed at once": { none: NO_MARKS, everysec: NO_HOLDS, always: NO_HOLDS },
  "all primaries are wiped at once": { none: NOTHING, everysec: NOTHING, always: NOTHING },
};

const TTL_MAX_MS = 60_000;
const TTL_MS = 1_000;

/** Until all take part in another configuration than before. */
async function recovered(instance: Instance, first: TestPrimary, before: string | null): Promise<void> {
  await until(
    async () =>
      ![before, null].includes(await storedField(first, instance.prefix, "configuration").catch(() => null)),
    "another configuration was agreed on",
  );
  await allTakePart(instance);
}

/** Uses a deployment, has it lose what it loses, and looks at what is left. */
async function expectSurvival(
  { expect }: Pick<TestContext, "expect">,
  all: readonly TestPrimary[],
  lose: () => Promise<unknown>,
  survival: Survival,
): Promise<void> {
  const [first] = all as [TestPrimary];
  await using instance = await startInstance(
    all.map(({ url }) => url),
    { env: { QUORATE_TTL_MAX_MS: String(TTL_MAX_MS) } },
  );
  const { prefix } = instance;
  await instance.call("PUT", "/v1/services/s/members/a", { address: "a:1", ttlMs: TTL_MAX_MS });
  const before = await storedField(first, prefix, "configuration");
  let last = 0;
  for (let i = 0; i < 40; i++) last = await tokenOf(instance, "used", 200);
  const held = await acquire(instance, "held", TTL_MS);
  const heldUntilMs = performance.now() + TTL_MS;

  await lose();
  await recovered(instance, first, before);
  expect(await isListed(instance, "s", "a"), "members").toBe(survival.members);
  // A slow machine may take longer to get here than the lease lasts.
  if (performance.now() < heldUntilMs - 100) {
    const { leaseId, fencingToken } = held;
    const renewal = { leaseId, fencingToken, ttlMs: 200 };
    const { status } = await instance.call("POST", "/v1/locks/held/renew", renewal);
    expect(status, "renewal").toBe(survival.renewal ? 200 : 410);
  }
  if (survival.nextGrant === "after the longest lease that is allowed") {
    for (const { status } of instance.service.primaries.all) {
      expect(status.quarantineMs).toBeGreaterThan(TTL_MAX_MS / 2);
      expect(status.quarantineMs).toBeLessThan(TTL_MAX_MS * 1.02 + 1_000);
    }
    expect((await acquire(instance, "held", TTL_MS)).status).toBe(503);
    // It will go on from here.
    expect(Number(await storedField(first, prefix, "floor"))).toBeGreaterThan(last);
    return;
  }
  const next = await acquireAtLast(instance, "held", TTL_MS);
  if (survival.nextGrant === "after the lease") expect(performance.now()).toBeGreaterThan(heldUntilMs - 50);
  expect(next.fencingToken).toBeGreaterThan(held.fencingToken);
  expect(await tokenOf(instance, "used", 200)).toBeGreaterThan(last);
}

describe.concurrent.each(SETTING_NAMES)("with persistence %s", { timeout: 60_000 }, (setting) => {
  let primaries: TestPrimaries;

  beforeAll(async () => {
    primaries = await startPrimaries(3, { args: SETTINGS[setting] });
  });
  afterAll(() => primaries.close());

  for (const [loss, survivals] of Object.entries(TABLE)) {
    test.sequential(`when ${loss}, tokens grow, and no more is lost than the table says`, async (context) => {
      const { all } = primaries;
      await expectSurvival(context, all, () => (LOSSES[loss] as Lose)(all, setting), survivals[setting]);
    });
  }

  if (setting !== "none") return;
  test.sequential("when two of five are wiped at once, nothing is lost", async (context) => {
    await using more = await startPrimaries(2, { args: SETTINGS[setting] });
    const wipe = () => Promise.all(more.all.map((each) => each.startEmpty()));
    await expectSurvival(context, [...primaries.all, ...more.all], wipe, EVERYTHING);
  });
});
