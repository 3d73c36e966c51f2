import { setTimeout as sleep } from "node:timers/promises";
import { describe, test } from "vitest";
import { isListed, type Shown, shown, untilShown } from "../helpers/deployment.js";
import { startPrimaries, type TestPrimary } from "../helpers/primaries.js";
import { type Instance, ownPrefix, startInstance, until } from "../helpers/service.js";

// Primaries that are emptied one after the other while holders renew and members heartbeat. docs/guarantees.md, "What
// survives which loss", and docs/operating.md, "Rebooting".

/** Longer than all of it takes: what is lost was forgotten, and did not end. */
const ttlMs = 30_000;
const RENEW_EVERY_MS = 200;
const PATIENCE_MS = 20_000;

/** Of each kind one, by its path: what to acquire it with, and what every later request has to name again. */
const LEASES: readonly (readonly [path: string, acquire: string, asked: object, named: object])[] = [
  ["/v1/locks/held", "acquire", {}, {}],
  ["/v1/locks/read", "acquire", { mode: "shared" }, {}],
  ["/v1/locks", "acquire", { names: ["a", "b"] }, { names: ["a", "b"] }],
  ["/v1/semaphores/permits", "acquire", { limit: 3, permits: 2 }, {}],
  ["/v1/elections/led", "campaign", {}, {}],
];

interface Refusal {
  readonly path: string;
  readonly status: number;
  readonly code: string;
}

/** A lease of each kind and a member, kept alive by turns through two instances. */
class Holder {
  readonly refused: Refusal[] = [];
  readonly tokens = new Map<string, Set<number>>();
  /** How often everything was renewed. */
  rounds = 0;
  #renewals: { path: string; body: object; release: object }[] = [];
  #on = true;
  #ended: Promise<void> = Promise.resolve();

  constructor(private readonly instances: readonly Instance[]) {}

  async begin(): Promise<void> {
    for (const [path, acquire, asked, named] of LEASES) {
      const body = await this.#ask("POST", `${path}/${acquire}`, { ...asked, ttlMs });
      const { leaseId, fencingToken, term } = body;
      const token = term === undefined ? { fencingToken } : { term };
      this.tokens.set(path, new Set([term ?? fencingToken]));
      this.#renewals.push({
        path,
        body: { ...named, ...token, leaseId, ttlMs },
        release: { ...named, leaseId },
      });
    }
    await this.#ask("PUT", "/v1/services/s/members/m", { address: "m:1", ttlMs });
    this.#ended = this.#keepAlive();
  }

  /** Ends the renewals and gives everything back: what was held until then. */
  async end(): Promise<unknown[]> {
    this.#on = false;
    await this.#ended;
    const released: unknown[] = [];
    for (const { path, release } of this.#renewals) {
      const act = path.startsWith("/v1/elections") ? "resign" : "release";
      const body = await this.#ask("POST", `${path}/${act}`, release);
      released.push(body.released ?? body.resigned);
    }
    return released;
  }

  async #keepAlive(): Promise<void> {
    for (; this.#on; this.rounds++) {
      for (const { path, body } of this.#renewals) {
        const { fencingToken, term } = await this.#ask("POST", `${path}/renew`, body);
        this.tokens.get(path)?.add(term ?? fencingToken);
      }
      await this.#ask("POST", "/v1/services/s/members/m/heartbeat");
      await sleep(RENEW_EVERY_MS);
    }
  }

  async #ask(method: string, path: string, body?: object) {
    const instance = this.instances[this.rounds % this.instances.length] as Instance;
    const answer = await instance.call(method, path, body);
    if (answer.status >= 300) this.refused.push({ path, status: answer.status, code: answer.body.code });
    return answer.body;
  }
}

type Empty = (
  all: readonly TestPrimary[],
  holder: Holder,
  instances: readonly Instance[],
) => Promise<unknown>;

const takesPart = async (instances: readonly Instance[], version: number): Promise<boolean> =>
  (await Promise.all(instances.map(shown))).every(
    ({ configurationVersion, primaries }) =>
      configurationVersion === version &&
      primaries.every(({ state }) => state === "up" || state === "quarantined"),
  );

/** Empties each when the one before is back, and what is held was renewed since. */
const oneAfterTheOther: Empty = async (all, holder, instances) => {
  for (const [place, primary] of all.entries()) {
    await primary.startEmpty();
    await until(() => takesPart(instances, place + 2), `primary ${place} is back`, PATIENCE_MS);
    const { rounds } = holder;
    await until(() => holder.rounds > rounds + 1, "everything was renewed since", PATIENCE_MS);
  }
};

/** Waits for none to be back before it empties the next. */
const allAtOnce: Empty = async (all, _holder, instances) => {
  await Promise.all(all.map((primary) => primary.startEmpty()));
  const cold = ({ primaries }: Shown) => primaries.every(({ state }) => state === "quarantined");
  for (const instance of instances) await untilShown(instance, cold, "all begin anew", PATIENCE_MS);
};

async function emptied(empty: Empty) {
  await using primaries = await startPrimaries(3, { args: ["--appendonly", "no"] });
  const prefix = ownPrefix();
  await using one = await startInstance(primaries.urls, { prefix });
  await using other = await startInstance(primaries.urls, { prefix });
  const holder = new Holder([one, other]);
  await holder.begin();
  await empty(primaries.all, holder, [one, other]);
  const { rounds } = holder;
  await until(() => holder.rounds > rounds + 1, "everything was renewed, or refused", PATIENCE_MS);
  const listed = await isListed(other, "s", "m");
  const released = await holder.end();
  return { ...holder, listed, released, tokens: [...holder.tokens.values()].map((each) => [...each]) };
}

describe.concurrent("a rolling restart of all primaries, even without their data,", {
  timeout: 60_000,
}, () => {
  test("drops no lease that is renewed, and no member", async ({ expect }) => {
    const { refused, rounds, tokens, listed, released } = await emptied(oneAfterTheOther);
    expect(refused, `${rounds} rounds`).toEqual([]);
    expect(rounds).toBeGreaterThan(6);
    expect(tokens.map((each) => each.length)).toEqual(LEASES.map(() => 1));
    expect(listed).toBe(true);
    expect(released).toEqual(LEASES.map(() => true));
  });

  test("that waits for none to be back drops every lease and member: the test above would see it", async ({
    expect,
  }) => {
    const { refused, listed, released } = await emptied(allAtOnce);
    const lost = refused.flatMap(({ path, code }) => (code === "lease_lost" ? path : []));
    expect([...new Set(lost)].sort()).toEqual(LEASES.map(([path]) => `${path}/renew`).sort());
    expect(listed).toBe(false);
    expect(released).toEqual(LEASES.map(() => false));
  });
});
