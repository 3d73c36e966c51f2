import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome } from "../../history/operation.js";
import type { Recorder } from "../../history/recorder.js";
import type { Chance } from "../../simulation/random.js";
import { INSTANCES } from "../stage/stage.js";
import type { Acquired, Lease, LockClient } from "./lock-service.js";

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

/** Takes names that many want, holds them for a while, renews, and gives them back or lets them expire. */
export async function contend(user: LockUser, names: readonly string[]): Promise<void> {
  const { chance, thinkMs } = user;
  while (!user.signal.aborted) {
    const name = chance.pick(names);
    const ttlMs = chance.pick([500, 1_000, 3_000]);
    // Repeated with the same id where the answer is lost, by this instance or the other.
    const leaseId = chance.happens(0.3) ? randomBytes(18).toString("base64url") : undefined;
    let answer = await acquire(user, someInstance(user), { name, ttlMs, ...(leaseId && { leaseId }) });
    if (leaseId && (answer.kind === "no_answer" || answer.kind === "failed")) {
      answer = await acquire(user, someInstance(user), { name, ttlMs, leaseId });
    }
    if (answer.kind === "granted") await use(user, { ...answer, name }, ttlMs);
    await sleep(chance.between(0.2, 1.8) * thinkMs * patience(answer));
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

async function acquire(
  user: LockUser,
  at: number,
  ask: { name: string; ttlMs: number; leaseId?: string },
  mustSucceed = false,
): Promise<Acquired> {
  const answered = asks(user, at, { kind: "acquire", ...ask }, mustSucceed);
  const answer = await user.locks.acquire(at, ask, answered.startMs);
  answered(answer satisfies Outcome);
  return answer;
}

async function renew(user: LockUser, at: number, lease: Lease, ttlMs: number): Promise<boolean> {
  const { name, leaseId, token } = lease;
  const answered = asks(user, at, { kind: "renew", name, ttlMs, leaseId, token });
  const answer = await user.locks.renew(at, { ...lease, ttlMs }, answered.startMs);
  answered(answer);
  return answer.kind === "renewed";
}

async function release(user: LockUser, at: number, lease: Lease): Promise<void> {
  const answered = asks(user, at, { kind: "release", name: lease.name, leaseId: lease.leaseId });
  answered(await user.locks.release(at, lease));
}

function asks(
  { id, recorder, withinMs }: LockUser,
  at: number,
  request: Parameters<Recorder["asks"]>[1],
  mustSucceed = false,
) {
  return recorder.asks({ client: id, instance: INSTANCES[at] ?? "", withinMs, mustSucceed }, request);
}

/** Who gets no answer asks less often. */
function patience({ kind }: Acquired): number {
  return kind === "no_answer" || kind === "failed" ? 3 : 1;
}

function someInstance({ chance }: LockUser): number {
  return chance.whole(0, INSTANCES.length - 1);
}
