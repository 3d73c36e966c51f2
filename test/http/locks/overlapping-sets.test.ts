import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startPrimaries, type TestPrimaries } from "../../helpers/primaries.js";
import { freshName, type Instance, ownPrefix, startInstance } from "../../helpers/service.js";

// Philosophers: each wants its own set of names, in another order each time, beside others who want some of the same.

const SECONDS = Number(process.env.OVERLAP_SECONDS ?? 3);
const CLIENTS = 16;
const NAMES_MAX = 16;
const WAIT_MS = 25_000;
/** First come, first served: at most all others, each with its few ms and its handover, on a machine that is busy. */
const LONGEST_WAIT_MS = 5_000;

let primaries: TestPrimaries;
let instances: Instance[];
beforeAll(async () => {
  primaries = await startPrimaries(3);
  const prefix = ownPrefix();
  instances = [
    await startInstance(primaries.urls, { prefix }),
    await startInstance(primaries.urls, { prefix }),
  ];
});
afterAll(async () => {
  for (const instance of instances) await instance[Symbol.asyncDispose]();
  await primaries.close();
});

const names = Array.from({ length: 24 }, (_, i) => freshName(`n${i}`));
const shuffled = <T>(all: readonly T[]): T[] =>
  all
    .map((one) => ({ one, chance: Math.random() }))
    .sort((a, b) => a.chance - b.chance)
    .map(({ one }) => one);

/** One and its neighbour, so that all of them are a ring, and up to 14 others by chance. */
const sets = Array.from({ length: CLIENTS }, (_, i) => {
  const ring = [names[i], names[(i + 1) % CLIENTS]] as string[];
  const others = shuffled(names.filter((name) => !ring.includes(name)));
  return [...ring, ...others.slice(0, i % (NAMES_MAX - 1))];
});

/** What is seen of all clients: who holds what now, and the last token of each name. */
class Table {
  readonly #holders = new Map<string, number>();
  readonly #tokens = new Map<string, number>();
  readonly served = new Array<number>(CLIENTS).fill(0);
  readonly waitsMs: number[] = [];

  take(client: number, set: readonly string[], token: number): void {
    for (const name of set) {
      expect(this.#holders.get(name), `who else holds ${name}`).toBeUndefined();
      expect(token, `the token of ${name}`).toBeGreaterThan(this.#tokens.get(name) ?? 0);
      this.#holders.set(name, client);
      this.#tokens.set(name, token);
    }
    this.served[client] = (this.served[client] ?? 0) + 1;
  }

  leave(set: readonly string[]): void {
    for (const name of set) this.#holders.delete(name);
  }
}

test(`${CLIENTS} overlapping sets of up to ${NAMES_MAX} names, in random order, are all served for ${SECONDS} s, none waits long`, {
  timeout: SECONDS * 1000 + 60_000,
}, async () => {
  const table = new Table();
  const endMs = performance.now() + SECONDS * 1000;
  const dine = async (client: number, set: readonly string[]) => {
    while (performance.now() < endMs) {
      // Whichever instance: neither knows who waits at the other.
      const { call } = instances[Math.random() < 0.5 ? 0 : 1] as Instance;
      const askedMs = performance.now();
      const asked = { names: shuffled(set), ttlMs: 20_000, waitMs: WAIT_MS };
      const { status, body } = await call("POST", "/v1/locks/acquire", asked);
      table.waitsMs.push(performance.now() - askedMs);
      expect(status, JSON.stringify(body)).toBe(200);
      table.take(client, set, body.fencingToken);
      await sleep(Math.random() * 5);
      table.leave(set);
      const { leaseId } = body;
      const released = await call("POST", "/v1/locks/release", { names: shuffled(set), leaseId });
      expect(released.body).toEqual({ released: true });
      await sleep(Math.random() * 20);
    }
  };
  await Promise.all(sets.map((set, client) => dine(client, set)));
  const waitsMs = table.waitsMs.sort((a, b) => a - b);
  const [median, longest] = [waitsMs[Math.floor(waitsMs.length / 2)] ?? 0, waitsMs.at(-1) ?? 0];
  const [least, most] = [Math.min(...table.served), Math.max(...table.served)];
  console.log(
    `${waitsMs.length} leases in ${SECONDS} s, ${least} to ${most} a client; ` +
      `waited ${median.toFixed(0)} ms (median), ${longest.toFixed(0)} ms at most`,
  );
  expect(longest).toBeLessThan(LONGEST_WAIT_MS);
  expect(least, "who wants many names is not overtaken for ever").toBeGreaterThan(most / 10);
});
