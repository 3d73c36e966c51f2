import { CoordinationError } from "../../src/errors.js";
import type { Campaigned } from "../../src/primitives/election.js";
import type {
  Grant,
  LeaseRequest,
  MemberProof,
  Held as Refusal,
} from "../../src/primitives/leases/lease-terms.js";
import type { Locks } from "../../src/primitives/lock.js";
import type { Member } from "../../src/primitives/members/member.js";
import { registerName } from "../../src/scripts/register-kinds.js";
import { OFFICE } from "../history/offices.js";
import { namesOf, type Outcome, type Request, type Seen, type Wanted } from "../history/operation.js";
import type { Instance } from "./instance.js";
import type { Universe } from "./universe.js";
import type { Variant } from "./variant.js";

/** The election of this name at an instance: that of `OFFICE` is one by consensus. */
function electionIn({ core: { elections, consensusElections } }: Instance, name: string) {
  const isOffice = name === OFFICE;
  const its = isOffice ? registerName("election", "default", name) : name;
  const common = isOffice ? consensusElections : elections;
  type Request<K extends "campaign" | "renew" | "proclaim"> = Omit<
    Parameters<(typeof elections)[K]>[0],
    "name" | "signal"
  >;
  return {
    campaign: (request: Request<"campaign">): Promise<Campaigned> =>
      isOffice
        ? consensusElections.campaign({ ...request, name: its })
        : elections.campaign({ ...request, name: its }),
    renew: (request: Request<"renew">) => common.renew({ ...request, name: its }),
    proclaim: (request: Request<"proclaim">) => common.proclaim({ ...request, name: its }),
    resign: (leaseId: string) => common.resign(its, leaseId),
    inspect: () => common.inspect(its),
  };
}

type Ask<R extends Request["kind"]> = Extract<Request, { kind: R }>;

/** Of a member. */
export type Change = Pick<Ask<"change">, "weight" | "status" | "drainMs">;

/** What a client has in its hands after a grant. */
export interface Held {
  readonly wanted: Wanted;
  readonly leaseId: string;
  readonly token: number;
  readonly ttlMs: number;
  untilMs: number;
}

/** A client's requests, each recorded with what came of it. */
export class Asking {
  constructor(
    private readonly universe: Universe,
    private readonly variant: Variant,
    private readonly client: string,
    private readonly mustSucceed = false,
    private readonly service = SERVICE,
  ) {}

  async acquire(
    instance: Instance,
    wanted: Wanted,
    ttlMs: number,
    {
      leaseId,
      waitMs,
      value,
      member,
    }: {
      readonly leaseId?: string | undefined;
      readonly waitMs?: number;
      readonly value?: string | undefined;
      readonly member?: MemberProof;
    } = {},
  ): Promise<Held | Outcome["kind"]> {
    this.#touch(instance, wanted, ttlMs);
    const request: Ask<"acquire"> = {
      kind: "acquire",
      ...wanted,
      ttlMs,
      ...(leaseId !== undefined && { leaseId }),
      ...(waitMs !== undefined && { waitMs }),
      ...(value !== undefined && { value }),
    };
    const startMs = this.universe.scheduler.nowMs();
    const outcome = await this.ask(instance, request, async () => {
      const acquired = wanted.election
        ? await this.#campaign(instance, wanted.name, { ttlMs, leaseId, waitMs, value })
        : await this.#acquire(instance, wanted, { ttlMs, leaseId, waitMs, member });
      if (acquired.kind === "held") return { kind: "held" };
      const { lease } = acquired;
      return {
        kind: "granted",
        leaseId: lease.leaseId,
        token: this.variant.locks ? this.universe.countGrant() : lease.fencingToken,
        validUntilMs: startMs + lease.waitedMs + lease.validForMs,
      };
    });
    if (outcome.kind !== "granted") return outcome.kind;
    return { wanted, ttlMs, leaseId: outcome.leaseId, token: outcome.token, untilMs: outcome.validUntilMs };
  }

  #acquire(
    instance: Instance,
    { name, mode, permits = 1, limit, ...rest }: Wanted,
    request: Pick<LeaseRequest, "ttlMs" | "leaseId" | "waitMs" | "member">,
  ): Promise<{ kind: "acquired"; lease: Grant } | Refusal> {
    if (limit === undefined)
      return this.#locks(instance).acquire({ names: namesOf({ name, ...rest }), mode, ...request });
    return instance.core.semaphores.acquire({ name, limit, permits, ...request });
  }

  async #campaign(
    instance: Instance,
    name: string,
    request: {
      ttlMs: number;
      leaseId: string | undefined;
      waitMs: number | undefined;
      value: string | undefined;
    },
  ): Promise<{ kind: "acquired"; lease: Omit<Grant, "owner"> } | Refusal> {
    const outcome = await electionIn(instance, name).campaign({ candidate: this.client, ...request });
    if (outcome.kind === "held") return outcome;
    return { kind: "acquired", lease: { ...outcome.lease, fencingToken: outcome.lease.term } };
  }

  /** Whether the lease may be trusted on. */
  async renew(instance: Instance, held: Held, withToken: boolean): Promise<boolean> {
    const { wanted, leaseId, token, ttlMs } = held;
    this.#touch(instance, wanted, ttlMs);
    const startMs = this.universe.scheduler.nowMs();
    const outcome = await this.ask(
      instance,
      { kind: "renew", ...wanted, leaseId, token, ttlMs },
      async () => {
        if (wanted.election) return this.#renewTerm(instance, held, withToken);
        const request = { leaseId, ttlMs, fencingToken: withToken ? token : undefined };
        const lease =
          wanted.limit === undefined
            ? await this.#locks(instance).renew({ names: namesOf(wanted), ...request })
            : await instance.core.semaphores.renew({ name: wanted.name, ...request });
        return { kind: "renewed", validUntilMs: startMs + lease.waitedMs + lease.validForMs };
      },
    );
    if (outcome.kind === "renewed") held.untilMs = outcome.validUntilMs;
    return outcome.kind === "renewed";
  }

  async #renewTerm(
    instance: Instance,
    { wanted: { name }, leaseId, token, ttlMs }: Held,
    withToken: boolean,
  ): Promise<Outcome> {
    const startMs = this.universe.scheduler.nowMs();
    const election = electionIn(instance, name);
    const term = await election.renew({ leaseId, ttlMs, term: withToken ? token : undefined });
    return {
      kind: "renewed",
      validUntilMs: startMs + term.waitedMs + term.validForMs,
      value: String(term.value),
    };
  }

  /** Changes the value of a term. */
  async proclaim(
    instance: Instance,
    { wanted: { name }, leaseId, token }: Held,
    value: string,
  ): Promise<void> {
    await this.ask(instance, { kind: "proclaim", name, leaseId, token, value }, async () => {
      await electionIn(instance, name).proclaim({ leaseId, value });
      return { kind: "proclaimed" };
    });
  }

  /** Looks who leads. */
  async leader(instance: Instance, name: string): Promise<void> {
    await this.ask(instance, { kind: "leader", name }, async () => {
      const { leader, known } = await electionIn(instance, name).inspect();
      if (!known) return { kind: "unknown" };
      if (!leader) return { kind: "led", leader };
      const { candidate, term, value } = leader;
      return { kind: "led", leader: { candidate: candidate ?? "", term, value: String(value) } };
    });
  }

  async release(instance: Instance, { wanted, leaseId, ttlMs }: Held): Promise<Outcome["kind"]> {
    this.#touch(instance, wanted, ttlMs);
    const outcome = await this.ask(instance, { kind: "release", ...wanted, leaseId }, async () => ({
      kind: "released",
      was: await this.#release(instance, wanted, leaseId),
    }));
    return outcome.kind;
  }

  #release(instance: Instance, wanted: Wanted, leaseId: string): Promise<boolean> {
    const { semaphores } = instance.core;
    if (wanted.election) return electionIn(instance, wanted.name).resign(leaseId);
    if (wanted.limit !== undefined) return semaphores.release(wanted.name, leaseId);
    return this.#locks(instance).release(namesOf(wanted), leaseId);
  }

  #touch(instance: Instance, wanted: Wanted, ttlMs: number): void {
    for (const name of namesOf(wanted)) this.universe.touch(instance, name, ttlMs);
  }

  async register(instance: Instance, member: string, ttlMs: number): Promise<number | null> {
    const outcome = await this.ask(
      instance,
      { kind: "register", service: this.service, member, ttlMs },
      async () => {
        const registered = await instance.core.membership.register(this.service, member, ttlMs, REGISTRATION);
        instance.core.membership.views.forget(this.service);
        const { incarnation, revision } = registered.member;
        return { kind: "alive", incarnation, revision };
      },
    );
    return outcome.kind === "alive" ? outcome.incarnation : null;
  }

  /** Whether the member is still known; null: nobody knows. */
  async heartbeat(
    instance: Instance,
    member: string,
    ttlMs: number,
    incarnation: number | undefined,
  ): Promise<boolean | null> {
    const outcome = await this.ask(
      instance,
      { kind: "heartbeat", service: this.service, member, ttlMs },
      async () => {
        const pulse = await instance.core.membership.heartbeat({
          service: this.service,
          id: member,
          incarnation,
        });
        return { kind: "alive", incarnation: pulse.incarnation, revision: pulse.revision };
      },
    );
    if (outcome.kind === "failed" && outcome.code !== "no_quorum") return false;
    return outcome.kind === "alive" ? true : null;
  }

  async leave(instance: Instance, member: string, how: { restartGraceMs?: number } = {}): Promise<void> {
    await this.ask(instance, { kind: "leave", service: this.service, member, ...how }, async () => {
      const was = await instance.core.membership.leave(this.service, member, how);
      instance.core.membership.views.forget(this.service);
      return { kind: "left", was };
    });
  }

  async change(instance: Instance, member: string, change: Change): Promise<void> {
    const { service } = this;
    await this.ask(instance, { kind: "change", service, member, ...change }, async () => {
      const { incarnation, revision } = await instance.core.membership.update(service, member, change);
      return { kind: "updated", incarnation, revision };
    });
  }

  async list(instance: Instance): Promise<void> {
    await this.ask(instance, { kind: "list", service: this.service }, async () => {
      const members = await instance.core.membership.list(this.service);
      return { kind: "listed", members: members.map((one) => seenOf(one, this.service)) };
    });
  }

  async owner(instance: Instance, key: string): Promise<void> {
    const request: Request = { kind: "owner", service: this.service, key, viewAgeMsMax: VIEW_AGE_MS_MAX };
    await this.ask(instance, request, async () => {
      const { ring } = await instance.core.owners.owning(this.service);
      const [owner] = ring.replicas(key, 1);
      return { kind: "owned", owner: owner?.id ?? "", ringId: ring.ringId };
    });
  }

  #locks(instance: Instance): Pick<Locks, "acquire" | "renew" | "release"> {
    return this.variant.locks?.(instance) ?? instance.core.locks;
  }

  async ask(instance: Instance, request: Request, run: () => Promise<Outcome>): Promise<Outcome> {
    const answered = this.universe.recorder.asks(
      {
        client: this.client,
        instance: instance.name,
        withinMs: ANSWER_WITHIN_MS + longerMs(request),
        mustSucceed: this.mustSucceed,
      },
      request,
    );
    const outcome = await new Promise<Outcome>((resolve) => {
      const dead = () => resolve({ kind: "no_answer", why: `${instance.name} was killed` });
      if (!instance.alive) return dead();
      void instance.death.then(dead);
      instance.receive(() => void run().then(resolve, (error: unknown) => resolve(failureOf(error))));
    });
    answered(outcome);
    return outcome;
  }
}

function longerMs(request: Request): number {
  if ("waitMs" in request) return request.waitMs ?? 0;
  return request.kind === "transfer" ? TRANSFER_MS_MAX : 0;
}

function seenOf({ id, incarnation, revision, weight, status }: Member, service: string): Seen {
  if (service === SERVICE) return { id, incarnation };
  return { id, incarnation, version: { revision, weight, draining: status === "draining" } };
}

/** As HTTP tells it: what is no CoordinationError is a mistake of ours. */
function failureOf(error: unknown): Outcome {
  if (error instanceof CoordinationError) return { kind: "failed", code: error.code };
  return { kind: "failed", code: `internal: ${error instanceof Error ? error.stack : error}` };
}

const SERVICE = "s";
/** Of members that are changed. */
export const CHANGING = "changing";
export const REGISTRATION = { address: "a:1", weight: 1, zone: null, tags: [], metadata: null };
/** The default of the configuration, and what the clocks of instances differ by. */
const VIEW_AGE_MS_MAX = 255;
const ANSWER_WITHIN_MS = 3_000;
/** It waits for transactions that nobody goes on with. */
const TRANSFER_MS_MAX = 6_000;
