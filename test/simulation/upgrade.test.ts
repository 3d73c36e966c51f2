import { beforeAll, describe, expect, it } from "vitest";
import { type Configuration, PROTOCOL } from "../../src/algorithms/configuration.js";
import { EpochChanges } from "../../src/deployment/epoch-changes.js";
import type { Ids } from "../../src/ids.js";
import { Recorder } from "../history/recorder.js";
import { tellViolation } from "../history/tell.js";
import { CALM, planOf, withUpgrade } from "./plan.js";
import { Chance } from "./random.js";
import { LuaMachine } from "./redis/lua.js";
import { simulate } from "./run.js";
import { Scheduler } from "./scheduler.js";
import { Universe } from "./universe.js";
import { PRODUCTION, type Variant } from "./variant.js";

// Instances of the version before are followed by some of this one, all at once, which raise the protocol.

const RUNS = Number(process.env.SIMULATION_RUNS ?? 40);

let lua: LuaMachine;
beforeAll(async () => {
  lua = await LuaMachine.create();
});

describe("an upgrade", () => {
  it("keeps every promise amid faults", { timeout: 300_000 }, async () => {
    for (let seed = 1; seed <= RUNS; seed++) {
      const chance = new Chance(seed, "an upgrade");
      const { violations } = await simulate(seed, { replan: (plan) => withUpgrade(plan, chance) });
      expect(violations.map((one) => tellViolation(one)).join("\n"), `seed ${seed}`).toBe("");
    }
  });

  it("changes the configuration once, loses nothing, and ends the part of all instances of before", async () => {
    for (let seed = 1; seed <= RUNS; seed++)
      expect(await mistakeOf(seed, PRODUCTION), `seed ${seed}`).toBe("");
  });

  it("is found to go wrong where an instance raises the protocol without agreement", async () => {
    const mistakes = [];
    for (let seed = 1; seed <= RUNS; seed++) mistakes.push(await mistakeOf(seed, WITHOUT_AGREEMENT));
    expect(mistakes.filter((mistake) => mistake !== "").length).toBeGreaterThan(RUNS / 10);
  });
});

/** Each puts the configuration that it thinks of itself into force. */
const WITHOUT_AGREEMENT: Variant = { change: (_core, { ids }) => void alone.add(ids) };

/** Of the instances that agree with nobody. */
const alone = new WeakSet<Ids>();

const { agree } = EpochChanges.prototype;
EpochChanges.prototype.agree = function (this: EpochChanges, next, ...others) {
  const { ids } = (this as unknown as { dependencies: { ids: Ids } }).dependencies;
  return alone.has(ids) ? Promise.resolve(next) : agree.call(this, next, ...others);
};

/** What three instances that start at once, of which one dies on the way, make of a deployment of before. */
async function mistakeOf(seed: number, variant: Variant): Promise<string> {
  const chance = new Chance(seed, "upgrades");
  const plan = {
    ...withUpgrade(planOf(seed), chance),
    primaries: 3,
    instances: 1,
    weather: { ...CALM, delayMs: [0.1, 4] as const },
  };
  const scheduler = new Scheduler();
  const universe = new Universe(
    plan,
    scheduler,
    new Recorder(scheduler.nowMs),
    lua,
    variant,
    () => {},
    undefined,
  );
  const stored = () =>
    universe.primaries.map(({ server: { keyspace } }) => {
      const value = keyspace.get("q:configuration");
      return JSON.parse(
        (value?.type === "hash" && value.fields.get("configuration")) || "{}",
      ) as Configuration;
    });
  const run = async () => {
    await universe.untilUp();
    const before = stored();
    const [old] = universe.instances;
    universe.upgrade();
    for (let i = 0; i < 3; i++) universe.startInstance();
    await scheduler.sleep(chance.between(0, 20));
    universe.instances[1]?.kill();
    await scheduler.sleep(2_500);
    const expected = before.map((one) => ({ ...one, protocol: PROTOCOL, version: 2, coldQuarantine: null }));
    const after = stored();
    const [first] = after;
    const mistakes = {
      "the configurations differ": after.some(({ nonce }) => nonce !== first?.nonce),
      "it changed otherwise":
        JSON.stringify(after) !== JSON.stringify(expected.map((one) => ({ ...one, nonce: first?.nonce }))),
      "an instance does not know it": universe.alive.some(
        (one) => one !== old && one.core.primaries.version !== 2,
      ),
      "a primary takes no part": universe.alive.some(
        (one) => one !== old && one.core.primaries.all.some(({ status }) => status.state !== "up"),
      ),
      "an instance of before takes part": old?.core.primaries.all.some(({ up }) => up),
    };
    return Object.entries(mistakes)
      .flatMap(([mistake, isMade]) => (isMade ? [mistake] : []))
      .join(", ");
  };
  let found = "it does not end";
  void run()
    .then((mistake) => {
      found = mistake;
    })
    .finally(() => scheduler.stop());
  await scheduler.run();
  for (const instance of universe.instances) instance.kill();
  return found;
}
