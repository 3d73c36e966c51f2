import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome, Request } from "../../history/operation.js";
import type { Recorder } from "../../history/recorder.js";
import type { Chance } from "../../simulation/random.js";
import { HttpClient, type Reply } from "../cluster/http.js";
import type { ServiceInstance } from "../cluster/service.js";
import { failed } from "./lock-service.js";

export interface MemberUser {
  readonly id: string;
  readonly services: readonly ServiceInstance[];
  readonly recorder: Recorder;
  readonly chance: Chance;
  readonly signal: AbortSignal;
  readonly withinMs: number;
  readonly patienceMs: number;
  readonly thinkMs: number;
  /** The service that is registered at now; it changes from time to time, so that none collects all that ever were. */
  service(): string;
}

/** One process after the other registers, lives for a while on its heartbeats, and leaves or dies. */
export async function live(user: MemberUser): Promise<void> {
  const { chance, signal } = user;
  using http = new HttpClient(user.patienceMs);
  for (let lives = 0; !signal.aborted; lives++) {
    const service = user.service();
    const member = `${user.id}-${lives}`;
    const ttlMs = chance.pick([1_000, 2_000, 4_000]);
    const path = `/v1/services/${service}/members/${member}`;
    const registered = await ask(user, http, { kind: "register", service, member, ttlMs }, "PUT", path, {
      address: `${member}:1`,
      ttlMs,
    });
    if (registered.kind !== "alive") {
      await sleep(user.thinkMs * 2);
      continue;
    }
    const endMs = performance.now() + chance.between(1_000, 8_000);
    while (performance.now() < endMs && !signal.aborted) {
      await sleep(ttlMs / 4);
      const request = { kind: "heartbeat", service, member, ttlMs } as const;
      const beat = await ask(user, http, request, "POST", `${path}/heartbeat`);
      if (beat.kind === "failed" && beat.code === "unknown_member") break;
    }
    if (chance.happens(0.6)) await ask(user, http, { kind: "leave", service, member }, "DELETE", path);
    await sleep(chance.between(0.2, 1.8) * user.thinkMs);
  }
}

/** Looks who is there, and who owns what. */
export async function look(user: MemberUser, viewAgeMsMax: number): Promise<void> {
  const { chance, signal } = user;
  using http = new HttpClient(user.patienceMs);
  while (!signal.aborted) {
    const service = user.service();
    const path = `/v1/services/${service}`;
    if (chance.happens(0.5)) await ask(user, http, { kind: "list", service }, "GET", `${path}/members`);
    else {
      const key = `key-${chance.whole(0, 9)}`;
      await ask(user, http, { kind: "owner", service, key, viewAgeMsMax }, "GET", `${path}/owner?key=${key}`);
    }
    await sleep(chance.between(0.2, 1.8) * user.thinkMs);
  }
}

async function ask(
  user: MemberUser,
  http: HttpClient,
  request: Request,
  method: string,
  path: string,
  body?: unknown,
): Promise<Outcome> {
  const { id, url } = user.chance.pick(user.services);
  const answered = user.recorder.asks({ client: user.id, instance: id, withinMs: user.withinMs }, request);
  const outcome = outcomeOf(request, await http.call(url, method, path, body));
  answered(outcome);
  if (outcome.kind === "no_answer") await sleep(user.thinkMs);
  return outcome;
}

function outcomeOf({ kind }: Request, { status, code, body }: Reply): Outcome {
  if (status !== 200 && status !== 201) return failed(status, code);
  if (kind === "list") {
    const members = body.members as { id: string; incarnation: number }[];
    return { kind: "listed", members: members.map(({ id, incarnation }) => ({ id, incarnation })) };
  }
  if (kind === "owner") return { kind: "owned", owner: body.owner.id, ringId: body.ringId };
  if (kind === "leave") return { kind: "left", was: body.left };
  return { kind: "alive", incarnation: body.incarnation };
}
