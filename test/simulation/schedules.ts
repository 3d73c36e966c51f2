import { SCRIPTS } from "../../src/scripts/scripts.js";
import { Asking, type Held } from "./asking.js";
import type { Dependencies } from "./clients.js";
import type { Instance } from "./instance.js";
import type { Link } from "./network.js";
import type { SimulatedPrimary } from "./primary.js";
import type { Universe } from "./universe.js";

// Scripted schedules of what the random load met once in a hundred thousand runs. Each has three primaries p, q and r,
// three instances, and a calm network except for the links that the schedule closes.

/** What a schedule works with. */
function partsOf({ universe, variant }: Dependencies) {
  const [p, q, r] = universe.primaries as [SimulatedPrimary, SimulatedPrimary, SimulatedPrimary];
  const [one, two, three] = universe.instances as [Instance, Instance, Instance];
  const { scheduler } = universe;
  return {
    p,
    q,
    r,
    one,
    two,
    three,
    sleep: (ms: number) => scheduler.sleep(ms),
    link: (instance: Instance, primary: SimulatedPrimary): Link => universe.network.link(instance, primary),
    client: (name: string) => new Asking(universe, variant, name),
  };
}

/**
 * One primary hands the name to a waiting request, which then asks all: the other two grant that attempt, and it reaches
 * the first one `attemptLateMs` later. Meanwhile the lease is released through another instance. `releaseReaches`: only
 * the primary that the attempt has not yet reached, or all.
 */
export async function handoffThenAttempt(
  dependencies: Dependencies,
  {
    attemptLateMs,
    releaseReaches,
  }: { readonly attemptLateMs: number; readonly releaseReaches: "one" | "all" },
): Promise<Held[]> {
  const { p, q, r, one, two, three, sleep, link, client } = partsOf(dependencies);
  const first = await client("c1").acquire(one, { name: "n1" }, 300);
  if (typeof first !== "object") throw new Error(`c1 was not granted the name: ${first}`);
  const second = client("c2").acquire(two, { name: "n1" }, 3_000, { waitMs: 2_000 });
  await sleep(285);
  for (const primary of [q, r]) link(one, primary).requests.close();
  // Just before its time is over on the other two.
  const released = client("c1").release(one, first);
  await sleep(8);
  link(two, p).requests.close();
  const held = await second;
  if (typeof held !== "object") throw new Error(`c2 was not granted the name: ${held}`);
  if (releaseReaches === "one") for (const primary of [q, r]) link(three, primary).requests.close();
  const releasing = client("c2").release(three, held);
  await sleep(attemptLateMs);
  link(two, p).requests.open();
  await sleep(50);
  for (const primary of [q, r]) link(three, primary).requests.open();
  await Promise.all([released, releasing]);
  return [];
}

/**
 * The last attempt of a waiting request meets a primary that has forgotten the script, and is sent again as text. The
 * other primaries refuse the attempt meanwhile, and the request gives up. Then the holder releases the name.
 */
export async function sentAgainAsText({ universe, ...rest }: Dependencies): Promise<Held[]> {
  const { p, one, two, sleep, client } = partsOf({ universe, ...rest });
  const held = await client("c1").acquire(one, { name: "n1" }, 3_000);
  if (typeof held !== "object") throw new Error(`c1 was not granted the name: ${held}`);
  const giving = client("c2").acquire(two, { name: "n1" }, 3_000, { waitMs: 100 });
  await sleep(95);
  p.server.flushScripts();
  for (const { name, text } of Object.values(SCRIPTS))
    if (name !== "acquire-lease") p.server.execute("SCRIPT", ["LOAD", text]);
  await giving;
  await sleep(20);
  await client("c1").release(one, held);
  return [];
}

/** All primaries are flushed; an instance notices when it asks. */
export async function asksWhileAllForget(dependencies: Dependencies): Promise<Held[]> {
  const { p, q, r, one, client } = partsOf(dependencies);
  for (const primary of [p, q, r]) dependencies.universe.wipe(primary);
  const held = await client("c1").acquire(one, { name: "n1" }, 3_000);
  return typeof held === "object" ? [held] : [];
}

/** An instance freezes during a request, and another request for the same lease is granted meanwhile. */
export async function grantedTooLate(dependencies: Dependencies): Promise<Held[]> {
  const { one, two, three, sleep, client } = partsOf(dependencies);
  const { universe } = dependencies;
  const leaseId = "ABCDEFGHIJKLMNOPQRSTUVWX";
  const late = client("c1").acquire(one, { name: "n1" }, 150, { leaseId });
  await sleep(0.05);
  universe.freeze(one);
  await sleep(20);
  const held = await client("c1").acquire(two, { name: "n1" }, 3_000, { leaseId });
  await sleep(250);
  universe.resume(one);
  await late;
  const other = await client("c2").acquire(three, { name: "n1" }, 500);
  return [held, other].filter((one) => typeof one === "object");
}

/**
 * The last member of a service leaves, and one primary misses it. Another primary loses its data, and is readmitted with
 * the state of that one and of the third.
 */
export async function readmittedAfterLeave(dependencies: Dependencies): Promise<Held[]> {
  const { p, q, r, one, two, three, sleep, link, client } = partsOf(dependencies);
  const { universe } = dependencies;
  const member = client("m1");
  const incarnation = await member.register(one, "m1", MEMBER_TTL_MS);
  await sleep(500);
  // The other two forget the service earlier than this one.
  for (const primary of [q, r]) link(one, primary).requests.close();
  await member.heartbeat(one, "m1", MEMBER_TTL_MS, incarnation ?? undefined);
  link(two, p).requests.close();
  await member.leave(two, "m1");
  await sleep(250);
  q.kill();
  universe.wipe(q);
  universe.start(q);
  await sleep(10);
  await untilUp(universe, three);
  // The primary that knows of the leave is unreachable.
  return listWithout(r, three, dependencies);
}

/** Lists the members while the instance does not reach one primary. */
async function listWithout(
  primary: SimulatedPrimary,
  at: Instance,
  { universe, variant }: Dependencies,
): Promise<Held[]> {
  universe.network.link(at, primary).requests.close();
  const observer = new Asking(universe, variant, "observer");
  for (let lists = 0; lists < 10; lists++) {
    await observer.list(at);
    await universe.scheduler.sleep(20);
  }
  return [];
}

/** Until all primaries take part again for the instance. */
async function untilUp({ scheduler }: Universe, { core }: Instance): Promise<void> {
  while (!core.primaries.all.every(({ up }) => up)) await scheduler.sleep(1);
}

const MEMBER_TTL_MS = 800;
