import { keyedOf } from "../../src/primitives/registers/keyed.js";
import type { Condition } from "../../src/primitives/registers/registers.js";
import { registerName } from "../../src/scripts/register-kinds.js";
import type { Outcome, Request } from "../history/operation.js";
import { Asking } from "./asking.js";
import { type Dependencies, someInstance } from "./clients.js";
import type { Instance } from "./instance.js";
import type { Plan } from "./plan.js";
import type { Chance } from "./random.js";

type Put = Extract<Request, { kind: "put" }>;
type Delete = Extract<Request, { kind: "delete" }>;

/** Puts, deletes and reads registers, often on condition of what it saw last, and asks again what was not answered. */
export async function registerClient(dependencies: Dependencies, name: string): Promise<void> {
  const { universe, plan, variant, faultsEndMs } = dependencies;
  const { scheduler } = universe;
  const chance = dependencies.chance.stream(name);
  const asking = new Asking(universe, variant, name);
  const client = { asking, dependencies, chance, name, changes: 0 };
  const seen = new Map<string, string | null>();
  await scheduler.sleep(chance.between(0, 2 * plan.thinkMs));
  while (scheduler.nowMs() < faultsEndMs) {
    const instance = someInstance(universe, chance);
    if (instance) await step(client, instance, seen);
    await scheduler.sleep(chance.between(0, 2 * plan.thinkMs));
  }
}

interface Client {
  readonly asking: Asking;
  readonly dependencies: Dependencies;
  readonly chance: Chance;
  readonly name: string;
  changes: number;
}

async function step(client: Client, instance: Instance, seen: Map<string, string | null>): Promise<void> {
  const { asking, chance, dependencies } = client;
  const key = someKey(dependencies.plan, chance);
  const etag = seen.get(key);
  const condition = etag !== undefined && chance.happens(0.5) ? { etag } : {};
  switch (chance.weighted({ read: 4, put: 4, delete: dependencies.plan.removal ? 4 : 1.5 })) {
    case "read":
      return note(seen, key, await ask(asking, instance, { kind: "read", key }));
    case "put": {
      const ttl = chance.happens(0.25) ? { ttlMs: chance.pick([30, 120, 400]) } : {};
      const value = dependencies.universe.newValue();
      return note(
        seen,
        key,
        await change(client, instance, { kind: "put", key, value, ...ttl, ...condition }),
      );
    }
    case "delete": {
      const { etag } = condition as { etag?: string | null };
      const request: Delete = { kind: "delete", key, ...(typeof etag === "string" && { etag }) };
      return note(seen, key, await change(client, instance, request));
    }
  }
}

function someKey({ clients, removal }: Plan, chance: Chance): string {
  if (removal) return `k${chance.whole(1, removal.keys)}`;
  return clients === 0 ? "k1" : chance.pick(["k1", "k2"]);
}

/** What a client knows of a register from now on. */
function note(seen: Map<string, string | null>, key: string, outcome: Outcome): void {
  if (outcome.kind === "changed") seen.set(key, outcome.etag);
  if (outcome.kind === "mismatch") seen.set(key, outcome.current?.etag ?? null);
  if (outcome.kind === "found") seen.set(key, outcome.version?.etag ?? null);
}

/** Once, or under an idempotency key: then again at another instance, while the first is still under way or when it failed. */
async function change(client: Client, instance: Instance, plain: Put | Delete): Promise<Outcome> {
  const { asking, chance, dependencies, name } = client;
  const { universe } = dependencies;
  const { removal } = dependencies.plan;
  if (chance.happens(0.5) || (removal && !removal.keyed)) return ask(asking, instance, plain);
  client.changes += 1;
  const request = { ...plain, idempotencyKey: `${name}-${client.changes}` };
  const first = ask(asking, instance, request);
  if (chance.happens(0.3)) {
    await universe.scheduler.sleep(chance.between(0, 20));
    const another = someInstance(universe, chance);
    if (another) await ask(asking, another, request);
  }
  const outcome = await first;
  if (outcome.kind !== "no_answer" && outcome.kind !== "failed") return outcome;
  const another = someInstance(universe, chance);
  return another ? ask(asking, another, request) : outcome;
}

function ask(
  asking: Asking,
  instance: Instance,
  request: Extract<Request, { kind: "put" | "delete" | "read" }>,
) {
  const { registers } = instance.core;
  const name = registerName("value", "default", request.key);
  return asking.ask(instance, request, async (): Promise<Outcome> => {
    if (request.kind === "read") {
      const register = await registers.get(name);
      if (!register) return { kind: "found", version: null };
      const { number, etag, json } = register;
      return { kind: "found", version: { number, etag, value: JSON.parse(json) } };
    }
    const { idempotencyKey } = request;
    const asked = { ...request, idempotencyKey: undefined };
    const keyed = idempotencyKey === undefined ? null : keyedOf(idempotencyKey, asked);
    const told =
      request.kind === "put"
        ? await registers.put(
            name,
            { json: JSON.stringify(request.value), ttlMs: request.ttlMs ?? null },
            { ...conditionOf(request), keyed },
          )
        : await registers.delete(name, { ...conditionOf(request), keyed });
    return outcomeOf(told);
  });
}

function conditionOf({ etag }: Put | Delete): Condition {
  if (etag === undefined) return {};
  return etag === null ? { ifNoneMatch: "*" } : { ifMatch: [etag] };
}

type Told = Awaited<ReturnType<Instance["core"]["registers"]["put" | "delete"]>>;

function outcomeOf(told: Told): Outcome {
  switch (told.kind) {
    case "put":
      return { kind: "changed", number: told.number, etag: told.etag };
    case "deleted":
      return { kind: "changed", number: told.number, etag: null };
    case "absent":
      return { kind: "found", version: null };
    case "mismatch": {
      const { current } = told;
      return { kind: "mismatch", current: current && { number: current.version, etag: current.etag } };
    }
    case "key_mismatch":
      throw new Error("nobody used this idempotency key for anything else");
  }
}

/** Removes what is left of deleted registers, at all instances, until the faults stop. */
export async function removeRegisters({ universe, plan, faultsEndMs }: Dependencies): Promise<void> {
  const { removal } = plan;
  while (removal && universe.scheduler.nowMs() < faultsEndMs) {
    await universe.scheduler.sleep(removal.everyMs);
    for (const instance of universe.alive)
      instance.receive(() => void instance.core.registerUpkeep.run().catch(() => {}));
  }
  // A change that finds what it made removed could not tell its outcome.
  for (const instance of universe.alive) Object.assign(instance.core.registerUpkeep, { goneForMs: 60_000 });
}

/** Each instance in turn, when all works again. */
export async function probeRegisters({ universe, variant }: Dependencies): Promise<void> {
  const asking = new Asking(universe, variant, "probe of registers", true);
  for (const instance of universe.alive) {
    await ask(asking, instance, { kind: "read", key: "k1" });
    await ask(asking, instance, { kind: "put", key: "k1", value: universe.newValue() });
    await ask(asking, instance, { kind: "delete", key: "k1" });
    await ask(asking, instance, { kind: "read", key: "k1" });
  }
}
