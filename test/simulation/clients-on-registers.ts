import { keyedOf } from "../../src/primitives/registers/keyed.js";
import { registerName } from "../../src/scripts/register-kinds.js";
import type { Outcome, Request } from "../history/operation.js";
import { Asking } from "./asking.js";
import { type Dependencies, someInstance } from "./clients.js";
import type { Instance } from "./instance.js";
import type { Chance } from "./random.js";
import { agree, probeTransactions } from "./transaction-clients.js";

type Ask<K extends Request["kind"]> = Extract<Request, { kind: K }>;

/** What is built on registers: for each its client, which asks until the faults stop. */
export const ON_REGISTERS = {
  counters: addUp,
  latches: countDown,
  barriers: meet,
  transactions: agree,
} as const satisfies Record<string, (dependencies: Dependencies, name: string) => Promise<void>>;

export type OnRegisters = keyof typeof ON_REGISTERS;

export async function clientsOnRegisters(dependencies: Dependencies): Promise<void> {
  const { plan } = dependencies;
  const all = plan.onRegisters.flatMap((kind) =>
    Array.from({ length: CLIENTS[kind] }, (_, place) =>
      ON_REGISTERS[kind](dependencies, `${kind.slice(0, -1)} ${place + 1}`),
    ),
  );
  await Promise.all(all);
}

/** Adds to a counter, and reads it. */
async function addUp(dependencies: Dependencies, name: string): Promise<void> {
  let turn = 0;
  await often(dependencies, name, async ({ asking, chance }, instance) => {
    if (chance.happens(0.4)) {
      await count(asking, instance);
      return;
    }
    turn += 1;
    const plain: Ask<"add"> = { kind: "add", counter: "c", by: chance.whole(-20, 100) };
    await tried(
      dependencies,
      chance,
      instance,
      { ...plain, idempotencyKey: `${name}-${turn}` },
      (where, request) => add(asking, where, request),
    );
  });
}

const COUNTER = registerName("counter", "default", "c");

function add(asking: Asking, instance: Instance, request: Ask<"add">): Promise<Outcome> {
  return asking.ask(instance, request, async () => ({
    kind: "counted",
    value: await instance.core.counters.add(COUNTER, request.by, { keyed: keyOf(request, request.by) }),
  }));
}

function count(asking: Asking, instance: Instance): Promise<Outcome> {
  return asking.ask(instance, { kind: "count", counter: "c" }, async () => ({
    kind: "counted",
    value: await instance.core.counters.get(COUNTER),
  }));
}

/** Counts a latch down, reads it, and waits until it is open; then takes the next. */
async function countDown(dependencies: Dependencies, name: string): Promise<void> {
  let turn = 0;
  let round = 1;
  await often(dependencies, name, async ({ asking, chance }, instance) => {
    const latch = `l${round}`;
    turn += 1;
    let outcome: Outcome;
    switch (chance.weighted({ down: 6, look: 3, wait: 1, set: 1 })) {
      case "down": {
        const plain: Ask<"count_down"> = { kind: "count_down", latch };
        outcome = await tried(
          dependencies,
          chance,
          instance,
          { ...plain, idempotencyKey: `${name}-${turn}` },
          (where, request) => askLatch(asking, where, request),
        );
        break;
      }
      case "look":
        outcome = await askLatch(asking, instance, { kind: "latch", latch });
        break;
      case "wait":
        outcome = await askLatch(asking, instance, { kind: "latch", latch, waitMs: chance.whole(20, 600) });
        break;
      case "set":
        outcome = await askLatch(asking, instance, { kind: "set_latch", latch, count: LATCH_COUNT });
        break;
    }
    if (outcome.kind !== "latched") return;
    if (outcome.latch === null)
      await askLatch(asking, instance, { kind: "set_latch", latch, count: LATCH_COUNT });
    if (outcome.latch?.remaining === 0) round += 1;
  });
}

function askLatch(
  asking: Asking,
  instance: Instance,
  request: Ask<"latch" | "set_latch" | "count_down">,
): Promise<Outcome> {
  const { core, clock } = instance;
  const name = registerName("latch", "default", request.latch);
  return asking.ask(instance, request, async (): Promise<Outcome> => {
    switch (request.kind) {
      case "set_latch":
        return { kind: "latched", latch: (await core.latches.put(name, request.count)).latch };
      case "count_down": {
        const counted = core.latches.countDown(name, { keyed: keyOf(request) });
        // As it is told of where there is none.
        const latch = await counted.catch((error: { code?: string }) => {
          if (error.code !== "not_found") throw error;
          return null;
        });
        return { kind: "latched", latch };
      }
      case "latch": {
        const { waitMs } = request;
        const latch =
          waitMs === undefined
            ? await core.latches.get(name)
            : await core.latches.opened(name, clock.monotonicMs() + waitMs);
        return { kind: "latched", latch };
      }
    }
  });
}

/** Arrives at a barrier with others and waits until all have; or has enough of it, and comes back later. */
async function meet(dependencies: Dependencies, name: string): Promise<void> {
  let generation: number | undefined;
  await often(dependencies, name, async ({ asking, chance }, instance) => {
    const request: Ask<"arrive"> = {
      kind: "arrive",
      barrier: "b",
      member: name,
      count: MEETS,
      ttlMs: chance.pick([60, 200, 1_000]),
      waitMs: chance.happens(0.7) ? chance.whole(20, 400) : 0,
      ...(generation !== undefined && { generation }),
    };
    const outcome = await arrive(asking, instance, request);
    if (outcome.kind === "arrived") generation = outcome.released ? undefined : outcome.generation;
    // What it named may be forgotten with all else.
    if (outcome.kind === "failed" || chance.happens(GIVES_UP)) generation = undefined;
  });
}

function arrive(asking: Asking, instance: Instance, request: Ask<"arrive">): Promise<Outcome> {
  const { core, clock } = instance;
  const { member, count: its, ttlMs, waitMs = 0, generation } = request;
  return asking.ask(instance, request, async () => ({
    kind: "arrived",
    ...(await core.barriers.arrive(
      registerName("barrier", "default", request.barrier),
      { id: member, count: its, ttlMs, generation },
      { waitMs, deadlineMs: clock.monotonicMs() + waitMs },
    )),
  }));
}

/** Once, or under its idempotency key: then again at another instance, while the first is still under way or when it failed. */
async function tried<R extends Ask<"add" | "count_down">>(
  { universe }: Dependencies,
  chance: Chance,
  instance: Instance,
  request: R,
  ask: (instance: Instance, request: R) => Promise<Outcome>,
): Promise<Outcome> {
  if (chance.happens(0.3)) {
    const { idempotencyKey: _, ...plain } = request;
    return ask(instance, plain as R);
  }
  const first = ask(instance, request);
  if (chance.happens(0.3)) {
    await universe.scheduler.sleep(chance.between(0, 20));
    const another = someInstance(universe, chance);
    if (another) await ask(another, request);
  }
  const outcome = await first;
  if (outcome.kind !== "no_answer" && outcome.kind !== "failed") return outcome;
  const another = someInstance(universe, chance);
  return another ? ask(another, request) : outcome;
}

const keyOf = ({ idempotencyKey }: { readonly idempotencyKey?: string }, ...asked: readonly unknown[]) =>
  idempotencyKey === undefined ? null : keyedOf(idempotencyKey, ...asked);

/** A client of its own, which asks again and again until the faults stop. */
async function often(
  dependencies: Dependencies,
  name: string,
  step: (client: { readonly asking: Asking; readonly chance: Chance }, instance: Instance) => Promise<void>,
): Promise<void> {
  const { universe, plan, variant, faultsEndMs } = dependencies;
  const { scheduler } = universe;
  const client = { asking: new Asking(universe, variant, name), chance: dependencies.chance.stream(name) };
  while (scheduler.nowMs() < faultsEndMs) {
    await scheduler.sleep(client.chance.between(0, 2 * plan.thinkMs));
    const instance = someInstance(universe, client.chance);
    if (instance) await step(client, instance);
  }
}

/** Each instance in turn, when all works again. */
export async function probeOnRegisters(dependencies: Dependencies): Promise<void> {
  const { universe, variant, plan } = dependencies;
  const asking = new Asking(universe, variant, "probe of what is on registers", true);
  for (const [place, instance] of universe.alive.entries()) {
    if (plan.onRegisters.includes("counters")) {
      await add(asking, instance, { kind: "add", counter: "c", by: 1 });
      await count(asking, instance);
    }
    if (plan.onRegisters.includes("latches")) {
      const latch = `probe ${place + 1}`;
      await askLatch(asking, instance, { kind: "set_latch", latch, count: 1 });
      await askLatch(asking, instance, { kind: "count_down", latch });
      await askLatch(asking, instance, { kind: "latch", latch, waitMs: 100 });
    }
  }
  if (plan.onRegisters.includes("transactions")) await probeTransactions(dependencies);
}

const CLIENTS: Readonly<Record<OnRegisters, number>> = {
  counters: 3,
  latches: 3,
  barriers: 5,
  transactions: 2,
};
const LATCH_COUNT = 8;
/** How many it takes: there are more. */
const MEETS = 3;
const GIVES_UP = 0.05;
