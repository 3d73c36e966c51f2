import { describe, expect, test } from "vitest";
import type { Begin } from "../../../src/algorithms/two-phase.js";
import { registerName } from "../../../src/scripts/register-kinds.js";
import { dyingInChange, type Half } from "../../helpers/dying-changes.js";
import { Pair } from "../../helpers/pair.js";
import type { Instance } from "../../helpers/service.js";

// Whoever takes a step of a transaction dies at it: others go on, and nobody is told of two decisions.

const pair = new Pair();
const terms: Begin = { participants: ["a", "b"], payload: null, begunBy: "x" };
const LONG_MS = 60_000;

const nameOf = () => registerName("transaction", "default", pair.one.service.transactions.newId());
const at = ({ service }: Instance) => service.transactions;
const decisionOf = async (name: string, by = pair.other) =>
  (await at(by).decided(name, performance.now() + 10_000)).told?.transaction.decision;

/** Whatever is asked for from now on, the decision stays, and each voter learns it. */
async function isFinal(name: string, decision: "committed" | "aborted"): Promise<void> {
  for (const by of [pair.one, pair.other]) expect(await decisionOf(name, by)).toBe(decision);
  for (const participant of ["a", "b"])
    for (const its of ["no", "yes"] as const) await at(pair.one).vote(name, participant, its, null);
  await at(pair.other).abort(name, "late");
  for (const by of [pair.one, pair.other]) expect(await decisionOf(name, by)).toBe(decision);
  for (const participant of ["a", "b"]) await at(pair.one).acknowledge(name, participant);
  const { told } = await at(pair.other).get(name);
  expect(told?.transaction).toMatchObject({ state: "ended", decision });
}

/** The steps of a transaction, each of which is taken by an instance that dies at it. */
const STEPS = {
  begin: (one: Instance, name: string) => at(one).begin(name, terms, LONG_MS),
  "first yes": (one: Instance, name: string) => at(one).vote(name, "a", "yes", null),
  "last yes": (one: Instance, name: string) => at(one).vote(name, "b", "yes", null),
  acknowledgement: (one: Instance, name: string) => at(one).acknowledge(name, "a"),
};

type Step = keyof typeof STEPS;
const ORDER = Object.keys(STEPS) as Step[];
const HALVES: readonly Half[] = ["prepare-register", "accept-register"];
const cases = ORDER.flatMap((step) =>
  HALVES.flatMap((half) => [0, 1, 2, 3].map((reached) => [step, half, reached] as const)),
);

describe("an instance that dies at a step of a transaction", () => {
  test.each(cases)("(%s, after %s on %i primaries) leaves one decision", async (step, half, reached) => {
    const { connect, dieAt } = dyingInChange();
    await using instance = await pair.instance({ world: { connect } });
    const name = nameOf();
    for (const before of ORDER.slice(0, ORDER.indexOf(step))) await STEPS[before](pair.one, name);
    dieAt({ half, reached });
    const dead = STEPS[step](instance, name).catch(() => {});
    instance.service.close();
    await dead;
    // Nobody voted in its place: it is not committed without every yes.
    const missing = { begin: ["a", "b"], "first yes": ["b"], "last yes": [], acknowledgement: [] }[step];
    const { told } = await at(pair.other).get(name);
    if (missing.length > 0) expect(told?.transaction.decision ?? null).toBeNull();
    // Whoever was not answered asks again, at another instance.
    await STEPS[step](pair.other, name);
    for (const after of ORDER.slice(ORDER.indexOf(step) + 1)) await STEPS[after](pair.one, name);
    await isFinal(name, "committed");
  });

  test.each([0, 1, 2, 3])(
    "(a no, after accept-register on %i primaries) leaves one decision",
    async (reached) => {
      const { connect, dieAt } = dyingInChange();
      await using instance = await pair.instance({ world: { connect } });
      const name = nameOf();
      await STEPS.begin(pair.one, name);
      await STEPS["first yes"](pair.one, name);
      dieAt({ half: "accept-register", reached });
      const dead = at(instance)
        .vote(name, "b", "no", "out of stock")
        .catch(() => {});
      instance.service.close();
      await dead;
      await at(pair.other).vote(name, "b", "no", "out of stock");
      await isFinal(name, "aborted");
    },
  );

  test("(and nobody goes on with) is aborted at its deadline, and who voted yes learns that", async () => {
    const { connect, dieAt } = dyingInChange();
    await using instance = await pair.instance({ world: { connect } });
    const name = nameOf();
    await at(instance).begin(name, terms, 500);
    await at(instance).vote(name, "a", "yes", null);
    dieAt({ half: "accept-register", reached: 1 });
    const learns = decisionOf(name);
    const dead = at(instance)
      .vote(name, "b", "yes", null)
      .catch(() => {});
    instance.service.close();
    await dead;
    // One primary has the last yes: it is one decision, whichever.
    const decision = await learns;
    expect(["committed", "aborted"]).toContain(decision);
    await isFinal(name, decision as "committed" | "aborted");
  });
});
