import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome, Wanted } from "../../history/operation.js";
import type { Recorder } from "../../history/recorder.js";
import type { Chance } from "../../simulation/random.js";
import { INSTANCES } from "../cluster/cluster.js";
import type { Acquired, Ask, Lease, LockClient } from "./lock-service.js";

/** One client of locks. */
export interface LockUser {
  readonly id: string;
  readonly locks: LockClient;
  readonly recorder: Recorder;
  readonly chance: Chance;
  /** Until it aborts. */
  readonly signal: AbortSignal;
  /** How long an answer may take, ms. */
  readonly withinMs: number;
  /** Mean time between two rounds, ms. */
  readonly thinkMs: number;
}

/**
 * Takes what many want, holds it for a while, renews, and gives it back or lets it expire. `family`: not only writers of
 * one name each, but readers, several names at once and permits as well, and some who wait in line.
 */
export async function contend(user: LockUser, names: readonly string[], family: boolean): Promise<void> {
  const { chance, thinkMs } = user;
  while (!user.signal.aborted) {
    const wanted = family ? someWish(chance, names) : { name: chance.pick(names) };
    const ttlMs = chance.pick([500, 1_000, 3_000]);
    // Repeated with the same id where the answer is lost, by this instance or the other.
    const leaseId = chance.happens(0.3) ? randomBytes(18).toString("base64url") : undefined;
    const waitMs = family && chance.happens(0.4) ? chance.whole(50, 800) : 0;
    const ask = { ...wanted, ttlMs, ...(leaseId && { leaseId }), ...(waitMs > 0 && { waitMs }) };
    let answer = await acquire(user, someInstance(user), ask);
    if (leaseId && (answer.kind === "no_answer" || answer.kind === "failed")) {
      answer = await acquire(user, someInstance(user), ask);
    }
    if (answer.kind === "granted") await use(user, { ...answer, ...wanted }, ttlMs);
    await sleep(chance.between(0.2, 1.8) * thinkMs * patience(answer));
  }
}

export function someWish(chance: Chance, names: readonly string[]): Wanted {
  const name = chance.pick(names);
  switch (chance.weighted({ writer: 6, reader: 2, several: 1, permits: 2 })) {
    case "writer":
      return { name };
    case "reader":
      return { name, mode: "shared" };
    case "several":
      return { name, others: [...names.filter((other) => other !== name && chance.happens(0.5)), "all"] };
    case "permits":
      return { name: "pool", permits: chance.whole(1, 2), limit: 3 };
  }
}

/** Waits in line for what all others of its kind wait for, holds it for a moment, and goes to the end of the line. */
export async function standInLine(user: LockUser, name: string): Promise<void> {
  const { chance } = user;
  while (!user.signal.aborted) {
    const at = someInstance(user);
    const answer = await acquire(user, at, { name, ttlMs: chance.pick([500, 1_000, 3_000]), waitMs: 3_000 });
    if (answer.kind === "granted") {
      await sleep(chance.between(20, 200));
      await release(user, someInstance(user), { ...answer, name });
    }
    await sleep(chance.between(0.2, 1.8) * user.thinkMs * patience(answer));
  }
}

/** Takes a name that nobody else wants, and gives it back: what should always work, in one round trip. */
export async function takeFresh(user: LockUser, at: number): Promise<void> {
  for (let count = 0; !user.signal.aborted; count++) {
    const name = `fresh-${user.id}-${count}`;
    const answer = await acquire(user, at, { name, ttlMs: 2_000 });
    if (answer.kind === "granted") await release(user, at, { ...answer, name });
    await sleep(user.chance.between(0.2, 1.8) * user.thinkMs * patience(answer));
  }
}

/** One acquire and, where it was granted, a release, which must both succeed when `mustSucceed`. */
export async function probe(
  user: LockUser,
  at: number,
  name: string,
  mustSucceed: boolean,
): Promise<boolean> {
  const answer = await acquire(user, at, { name, ttlMs: 1_000 }, mustSucceed);
  if (answer.kind !== "granted") return false;
  await release(user, at, { ...answer, name });
  return true;
}

async function use(user: LockUser, lease: Lease, ttlMs: number): Promise<void> {
  const { chance } = user;
  for (let renewals = chance.whole(0, 2); renewals > 0; renewals--) {
    await sleep(chance.between(1, 30));
    if (!(await renew(user, someInstance(user), lease, ttlMs))) return;
  }
  await sleep(chance.between(1, 40));
  if (chance.happens(0.9)) await release(user, someInstance(user), lease);
}

/** `member`: whose heartbeats are to keep it. */
export async function acquire(
  user: LockUser,
  at: number,
  ask: Ask,
  mustSucceed = false,
  member?: object,
): Promise<Acquired> {
  const answered = asks(user, at, { kind: "acquire", ...ask }, mustSucceed);
  const answer = await user.locks.acquire(at, ask, answered.startMs, member);
  answered(answer satisfies Outcome);
  return answer;
}

async function renew(user: LockUser, at: number, lease: Lease, ttlMs: number): Promise<boolean> {
  const { leaseId, token } = lease;
  const answered = asks(user, at, { kind: "renew", ...wantedOf(lease), ttlMs, leaseId, token });
  const answer = await user.locks.renew(at, { ...lease, ttlMs }, answered.startMs);
  answered(answer);
  return answer.kind === "renewed";
}

export async function release(user: LockUser, at: number, lease: Lease): Promise<void> {
  const answered = asks(user, at, { kind: "release", ...wantedOf(lease), leaseId: lease.leaseId });
  answered(await user.locks.release(at, lease));
}

export function wantedOf({ name, others, mode, permits, limit }: Wanted): Wanted {
  return {
    name,
    ...(others && { others }),
    ...(mode && { mode }),
    ...(limit !== undefined && permits !== undefined && { permits, limit }),
  };
}

export function asks(
  { id, recorder, withinMs }: LockUser,
  at: number,
  request: Parameters<Recorder["asks"]>[1],
  mustSucceed = false,
) {
  const waitMs = request.kind === "acquire" ? (request.waitMs ?? 0) : 0;
  const asking = { client: id, instance: INSTANCES[at] ?? "", withinMs: withinMs + waitMs, mustSucceed };
  return recorder.asks(asking, request);
}

/** Who gets no answer asks less often. */
function patience({ kind }: Acquired): number {
  return kind === "no_answer" || kind === "failed" ? 3 : 1;
}

export function someInstance({ chance }: LockUser): number {
  return chance.whole(0, INSTANCES.length - 1);
}
