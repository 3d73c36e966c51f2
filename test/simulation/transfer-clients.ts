import type { Part } from "../../src/algorithms/intent.js";
import { keyedOf } from "../../src/primitives/registers/keyed.js";
import type { Register } from "../../src/primitives/registers/registers.js";
import { registerName } from "../../src/scripts/register-kinds.js";
import { ACCOUNTS, moveOf, noteTransfer, readingAll, type Transfer } from "../history/accounts.js";
import type { Found, Outcome } from "../history/operation.js";
import { Asking } from "./asking.js";
import { type Dependencies, someInstance } from "./clients.js";
import type { Instance } from "./instance.js";
import type { Chance } from "./random.js";

interface Client {
  readonly asking: Asking;
  readonly dependencies: Dependencies;
  readonly chance: Chance;
  readonly name: string;
  /** The accounts as this client saw them last; null: one is not there. */
  readonly known: Map<string, Found | null>;
  transfers: number;
}

/** Moves money between accounts, by what it saw last, reads all of them at one moment, and looks at single ones. */
export async function transferClient(dependencies: Dependencies, name: string): Promise<void> {
  const { universe, plan, variant, faultsEndMs } = dependencies;
  const { scheduler } = universe;
  const chance = dependencies.chance.stream(name);
  const asking = new Asking(universe, variant, name);
  const client: Client = { asking, dependencies, chance, name, known: new Map(), transfers: 0 };
  await scheduler.sleep(chance.between(0, 2 * plan.thinkMs));
  while (scheduler.nowMs() < faultsEndMs) {
    const instance = someInstance(universe, chance);
    if (instance) await step(client, instance);
    await scheduler.sleep(chance.between(0, 2 * plan.thinkMs));
  }
}

/** Looks at single accounts, one after the other. */
export async function lookAround(dependencies: Dependencies, name: string): Promise<void> {
  const { universe, plan, variant, faultsEndMs } = dependencies;
  const chance = dependencies.chance.stream(name);
  const asking = new Asking(universe, variant, name);
  while (universe.scheduler.nowMs() < faultsEndMs) {
    await universe.scheduler.sleep(chance.between(0, plan.thinkMs));
    const instance = someInstance(universe, chance);
    if (instance) await look(asking, instance, chance.pick(ACCOUNTS));
  }
}

async function step(client: Client, instance: Instance): Promise<void> {
  const { asking, chance, known } = client;
  switch (chance.weighted({ all: 2, one: 3, move: 4 })) {
    case "all":
      noteTransfer(known, await ask(asking, instance, ALL));
      return;
    case "one": {
      const key = chance.pick(ACCOUNTS);
      const outcome = await look(asking, instance, key);
      if (outcome.kind === "found") known.set(key, outcome.version);
      return;
    }
    case "move": {
      const move = known.size < ACCOUNTS.length ? null : moveOf(ACCOUNTS, known, chance);
      if (!move) return noteTransfer(known, await ask(asking, instance, ALL));
      return noteTransfer(known, await transfer(client, instance, move));
    }
  }
}

const ALL = readingAll(ACCOUNTS);

/** Once, or under an idempotency key: then again at another instance, while the first is under way or when it failed. */
async function transfer(client: Client, instance: Instance, plain: Transfer): Promise<Outcome> {
  const { asking, chance, dependencies, name } = client;
  const { universe } = dependencies;
  if (chance.happens(0.5)) return ask(asking, instance, plain);
  client.transfers += 1;
  const request = { ...plain, idempotencyKey: `${name}-${client.transfers}` };
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

const nameOf = (key: string) => registerName("value", "default", key);
const keyOf = (name: string) => name.slice(nameOf("").length);

function ask(asking: Asking, instance: Instance, request: Transfer): Promise<Outcome> {
  return asking.ask(instance, request, async (): Promise<Outcome> => {
    const { idempotencyKey } = request;
    const asked = { ...request, idempotencyKey: undefined };
    const keyed = idempotencyKey === undefined ? null : keyedOf(idempotencyKey, asked);
    const told = await instance.core.registerTransactions.commit({ parts: partsOf(request), keyed });
    switch (told.kind) {
      case "mismatch":
        return { kind: "unlike", key: keyOf(told.name), current: told.current };
      case "key_mismatch":
        throw new Error("nobody used this idempotency key for anything else");
      default: {
        const changed = [...told.changed].flatMap(([name, one]) =>
          one ? [[keyOf(name), one] as const] : [],
        );
        const found =
          told.kind === "committed"
            ? request.reads.map((key) => [key, foundIn(told.found.get(nameOf(key)) ?? null)] as const)
            : null;
        return {
          kind: "transferred",
          changed: Object.fromEntries(changed),
          found: found && Object.fromEntries(found),
        };
      }
    }
  });
}

function partsOf({ checks, reads, puts }: Transfer): Part[] {
  const keys = new Set([...checks.map(({ key }) => key), ...reads, ...puts.map(({ key }) => key)]);
  return [...keys].map((key) => {
    const value = puts.find((put) => put.key === key)?.value;
    return {
      name: nameOf(key),
      check: checks.find((check) => check.key === key)?.etag,
      write: value === undefined ? undefined : { json: JSON.stringify(value), ttlMs: null },
    };
  });
}

function look(asking: Asking, instance: Instance, key: string): Promise<Outcome> {
  return asking.ask(instance, { kind: "look", key }, async () => ({
    kind: "found",
    version: foundIn(await instance.core.registers.get(nameOf(key))),
  }));
}

function foundIn(register: Register | null): Found | null {
  if (!register) return null;
  const { number, etag, json } = register;
  return { number, etag, value: JSON.parse(json) };
}

/** Each instance in turn, when all works again. */
export async function probeTransfers({ universe, variant }: Dependencies): Promise<void> {
  const asking = new Asking(universe, variant, "probe of transfers", true);
  for (const instance of universe.alive) {
    await ask(asking, instance, ALL);
    for (const key of ACCOUNTS) await look(asking, instance, key);
  }
}
