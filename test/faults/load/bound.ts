import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome } from "../../history/operation.js";
import { HttpClient } from "../cluster/http.js";
import type { ServiceInstance } from "../cluster/service.js";
import { failed, type Lease } from "./lock-service.js";
import { acquire, asks, type LockUser, release, someInstance, someWish, wantedOf } from "./locks.js";

/** A member with leases that its heartbeats keep. */
export interface BoundUser extends LockUser {
  readonly services: readonly ServiceInstance[];
  readonly patienceMs: number;
}

interface Registered {
  readonly service: string;
  readonly id: string;
  readonly incarnation: number;
  readonly memberKey: string;
}

interface Bound extends Lease {
  readonly ttlMs: number;
  validUntilMs: number;
}

/** One process after the other takes what many want, keeps it by its heartbeats alone, gives some back, and dies. */
export async function bind(user: BoundUser, names: readonly string[]): Promise<void> {
  using http = new HttpClient(user.patienceMs);
  while (!user.signal.aborted) {
    const member = await register(user, http);
    if (member) await live(user, http, member, names);
    await sleep(user.chance.between(0.5, 2) * user.thinkMs);
  }
}

async function register(user: BoundUser, http: HttpClient): Promise<Registered | null> {
  // A service of its own: in one with more members these would be guarded when all fall silent.
  const [service, id, at] = [`bound-${user.id}`, "m", someInstance(user)];
  const answered = asks(user, at, { kind: "register", service, member: id, ttlMs: MEMBER_TTL_MS });
  const body = { address: "m:1", ttlMs: MEMBER_TTL_MS };
  const url = user.services[at]?.url ?? "";
  const reply = await http.call(url, "PUT", `/v1/services/${service}/members/${id}`, body);
  if (reply.status !== 200 && reply.status !== 201) {
    answered(failed(reply.status, reply.code));
    return null;
  }
  const { incarnation, memberKey } = reply.body;
  answered({ kind: "alive", incarnation });
  return { service, id, incarnation, memberKey };
}

/** Until it dies, or is no member any more. */
async function live(user: BoundUser, http: HttpClient, member: Registered, names: readonly string[]) {
  const { chance, signal, thinkMs } = user;
  let held: Bound[] = [];
  while (!signal.aborted) {
    await sleep(chance.between(0.1, 0.9) * thinkMs);
    switch (chance.weighted({ beat: 6, acquire: 3, release: 1, die: 0.1 })) {
      case "beat": {
        const kept = await beat(user, http, member, held);
        if (!kept) return;
        held = kept;
        break;
      }
      case "acquire": {
        const [wanted, ttlMs] = [someWish(chance, names), chance.pick([500, 1_000, 3_000])];
        const answer = await acquire(user, someInstance(user), { ...wanted, ttlMs }, false, member);
        if (answer.kind === "granted") held.push({ ...answer, ...wanted, ttlMs });
        break;
      }
      case "release": {
        const one = held.shift();
        if (one) await release(user, someInstance(user), one);
        break;
      }
      case "die":
        return;
    }
  }
}

/**
 * A heartbeat, recorded as a renewal of each lease as well. Of these leases it gives those that may be trusted on; null: it is no
 * member any more.
 */
async function beat(
  user: BoundUser,
  http: HttpClient,
  { service, id, incarnation, memberKey }: Registered,
  held: readonly Bound[],
): Promise<Bound[] | null> {
  const at = someInstance(user);
  const renewals = held.map((one) => {
    const { leaseId, token, ttlMs } = one;
    return asks(user, at, { kind: "renew", ...wantedOf(one), ttlMs, leaseId, token });
  });
  const answered = asks(user, at, { kind: "heartbeat", service, member: id, ttlMs: MEMBER_TTL_MS });
  const { status, code, body } = await http.call(
    user.services[at]?.url ?? "",
    "POST",
    `/v1/services/${service}/members/${id}/heartbeat`,
    { incarnation, memberKey },
  );
  const isAlive = status === 200;
  answered(isAlive ? { kind: "alive", incarnation } : failed(status, code));
  const told: { names: string[]; fencingToken: number; validForMs: number }[] = isAlive
    ? body.leases.held
    : [];
  renewals.forEach((renewed, index) => {
    const one = held[index] as Bound;
    const ofIt = told.filter(
      ({ names, fencingToken }) => fencingToken === one.token && names.includes(one.name),
    );
    // Readers, and permits, share a token: where fewer are told than there are, nobody knows which.
    const alike = held.filter(({ name, token }) => name === one.name && token === one.token);
    const kept = ofIt.length < alike.length ? undefined : shortest(ofIt);
    if (kept) one.validUntilMs = renewed.startMs + kept.validForMs;
    renewed(kept ? { kind: "renewed", validUntilMs: one.validUntilMs } : NOT_TOLD);
  });
  if (code === "unknown_member" || code === "superseded") return null;
  return held.filter(({ validUntilMs }) => performance.now() < validUntilMs);
}

const shortest = <T extends { readonly validForMs: number }>(all: readonly T[]): T | undefined =>
  [...all].sort((one, other) => one.validForMs - other.validForMs)[0];

const NOT_TOLD: Outcome = { kind: "no_answer", why: "the heartbeat did not tell" };
const MEMBER_TTL_MS = 2_000;
