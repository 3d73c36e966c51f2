import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome, Request } from "../../history/operation.js";
import { HttpClient, type Reply } from "../cluster/http.js";
import { failed } from "./lock-service.js";
import type { MemberUser } from "./members.js";

/** Members that change, drain, restart, leave and die, under the same names all the time; and those who change and suspect them. */
export const FLEET = "fleet";

type User = Omit<MemberUser, "service">;

/** A member of the fleet, one incarnation after the other. Its heartbeats are single ones and batches. */
export async function serve(user: User, member: string, others: readonly string[]): Promise<void> {
  const { chance, signal } = user;
  using http = new HttpClient(user.patienceMs);
  const asking = new Asking(user, http);
  while (!signal.aborted) {
    const ttlMs = chance.pick([1_000, 2_000, 4_000]);
    const incarnation = await asking.register(member, ttlMs);
    if (incarnation === null) await sleep(user.thinkMs * 2);
    else await live(user, asking, { member, incarnation, ttlMs }, others);
  }
}

interface Process {
  readonly member: string;
  readonly incarnation: number;
  readonly ttlMs: number;
}

/** Until it leaves, dies, or is no member any more. */
async function live(
  { chance, signal }: User,
  asking: Asking,
  { member, incarnation, ttlMs }: Process,
  others: readonly string[],
): Promise<void> {
  while (!signal.aborted) {
    await sleep((ttlMs / 4) * chance.between(0.3, 1.2));
    switch (chance.weighted({ beat: 12, batch: 12, change: 8, suspect: 3, leave: 1, restart: 1, die: 1 })) {
      case "beat":
        if (!(await asking.heartbeat(member, ttlMs, chance.happens(0.7) ? incarnation : undefined))) return;
        break;
      case "batch":
        if (!(await asking.heartbeats([member, `nobody-${member}`], ttlMs))) return;
        break;
      case "change":
        await asking.change(member, someChange(ttlMs, chance));
        break;
      case "suspect":
        await asking.suspect(chance.pick(others), member);
        break;
      case "leave":
        await asking.leave(member);
        return sleep(chance.between(0, ttlMs / 2));
      case "restart":
        await asking.leave(member, Math.round(chance.between(1_000, 4_000)));
        return sleep(chance.between(0, 1.5 * ttlMs));
      case "die":
        return sleep(chance.between(0.8, 1.8) * ttlMs);
    }
  }
}

/** Changes members by their names, whoever they are by then. */
export async function operate(user: User, members: readonly string[]): Promise<void> {
  using http = new HttpClient(user.patienceMs);
  const asking = new Asking(user, http);
  while (!user.signal.aborted) {
    await asking.change(user.chance.pick(members), { weight: newWeight() });
    await sleep(user.chance.between(0.2, 1.8) * user.thinkMs);
  }
}

/** Looks who is there, and as what. */
export async function observe(user: User): Promise<void> {
  using http = new HttpClient(user.patienceMs);
  const asking = new Asking(user, http);
  while (!user.signal.aborted) {
    await asking.ask({ kind: "list", service: FLEET }, "GET", "");
    await sleep(user.chance.between(0.2, 1.8) * user.thinkMs);
  }
}

type Change = Pick<Extract<Request, { kind: "change" }>, "weight" | "status" | "drainMs">;

function someChange(ttlMs: number, chance: User["chance"]): Change {
  switch (chance.weighted({ weight: 4, drain: 2, end: 1, up: 1 })) {
    case "weight":
      return { weight: newWeight() };
    case "drain":
      return { status: "draining" };
    case "end":
      return { status: "draining", drainMs: Math.round(ttlMs * chance.between(0.5, 2)) };
    case "up":
      return { status: "up" };
  }
}

let weights = 0;
/** Each another one. */
const newWeight = () => 1 + (weights++ % 2_000_000) / 10_000;

/** Requests, each recorded with what came of it, at one of the instances. */
class Asking {
  constructor(
    private readonly user: User,
    private readonly http: HttpClient,
  ) {}

  async register(member: string, ttlMs: number): Promise<number | null> {
    const outcome = await this.ask({ kind: "register", service: FLEET, member, ttlMs }, "PUT", `/${member}`, {
      address: `${member}:1`,
      ttlMs,
    });
    return outcome.kind === "alive" ? outcome.incarnation : null;
  }

  /** False: it is no member any more. */
  async heartbeat(member: string, ttlMs: number, incarnation: number | undefined): Promise<boolean> {
    const request = { kind: "heartbeat", service: FLEET, member, ttlMs } as const;
    return isAlive(await this.ask(request, "POST", `/${member}/heartbeat`, { incarnation }));
  }

  /** The outcome is that of the first. */
  async heartbeats(members: readonly string[], ttlMs: number): Promise<boolean> {
    const [member = ""] = members;
    const body = { beats: members.map((id) => ({ service: FLEET, id })) };
    const request = { kind: "heartbeat", service: FLEET, member, ttlMs } as const;
    return isAlive(await this.#send(request, "POST", "/v1/heartbeats", body));
  }

  async change(member: string, change: Change): Promise<void> {
    await this.ask({ kind: "change", service: FLEET, member, ...change }, "PATCH", `/${member}`, change);
  }

  async suspect(member: string, reporter: string): Promise<void> {
    const body = { reporter, reason: "no answer" };
    await this.ask({ kind: "suspect", service: FLEET, member, reporter }, "POST", `/${member}/suspect`, body);
  }

  async leave(member: string, restartGraceMs?: number): Promise<void> {
    const how = restartGraceMs === undefined ? {} : { restartGraceMs };
    const query = restartGraceMs === undefined ? "" : `?restart=true&restartGraceMs=${restartGraceMs}`;
    await this.ask({ kind: "leave", service: FLEET, member, ...how }, "DELETE", `/${member}${query}`);
  }

  ask(request: Request, method: string, path: string, body?: unknown): Promise<Outcome> {
    return this.#send(request, method, `/v1/services/${FLEET}/members${path}`, body);
  }

  async #send(request: Request, method: string, path: string, body?: unknown): Promise<Outcome> {
    const { user } = this;
    const { id, url } = user.chance.pick(user.services);
    const asking = { client: user.id, instance: id, withinMs: user.withinMs };
    const answered = user.recorder.asks(asking, request);
    const outcome = outcomeOf(request, await this.http.call(url, method, path, body));
    answered(outcome);
    if (outcome.kind === "no_answer") await sleep(user.thinkMs);
    return outcome;
  }
}

const isAlive = (outcome: Outcome) => outcome.kind !== "failed" || outcome.code === "no_quorum";

function outcomeOf({ kind }: Request, { status, code, body }: Reply): Outcome {
  if (status !== 200 && status !== 201) return failed(status, code);
  switch (kind) {
    case "list":
      return { kind: "listed", members: body.members.map(seenOf) };
    case "leave":
      return { kind: "left", was: body.left };
    case "change":
      return { kind: "updated", incarnation: body.incarnation, revision: body.revision };
    case "suspect":
      return { kind: "reported" };
    default: {
      const [outcome = body] = body.outcomes ?? [];
      if (outcome.code !== undefined) return { kind: "failed", code: outcome.code };
      return { kind: "alive", incarnation: outcome.incarnation, revision: outcome.revision };
    }
  }
}

interface Shown {
  readonly id: string;
  readonly incarnation: number;
  readonly revision: number;
  readonly weight: number;
  readonly status: string;
}

function seenOf({ id, incarnation, revision, weight, status }: Shown) {
  return { id, incarnation, version: { revision, weight, draining: status === "draining" } };
}
