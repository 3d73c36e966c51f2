import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { tellViolation } from "../history/tell.js";
import { CANARIES } from "./canaries.js";
import { type Outcome, runMany } from "./many.js";
import { simulate } from "./run.js";

// Each is caught within 50 runs from its first seed on. What changes the code changes what a seed means: then more are
// needed, but even the rarest is missed by so many once in 10,000 such changes.
const RUNS_MAX = 2_000;

describe("the checks catch", () => {
  it.each(CANARIES)("$name", { timeout: 300_000 }, async ({ name, breaks, replan, from }) => {
    const caughtIn = ({ failures }: Outcome) =>
      failures.filter(({ promises }) => promises.some((promise) => breaks.includes(promise)));
    const outcome = await runMany({
      seed: from,
      runs: RUNS_MAX,
      workers: availableParallelism(),
      canary: name,
      isEnough: (soFar) => caughtIn(soFar).length > 0,
    });
    const [caught] = caughtIn(outcome).sort((a, b) => a.length - b.length);
    if (!caught) return expect.fail(`not caught in ${outcome.runs} runs from seed ${from} on`);
    console.log(
      `${name}: caught in ${outcome.runs} runs ` +
        `(npm run simulate -- --canary "${name}" --seed ${caught.seed} --history)\n${caught.text}`,
    );
    const { violations } = await simulate(caught.seed, { ...(replan && { replan }) });
    expect(violations.map((one) => tellViolation(one)).join("\n"), "of the production code").toBe("");
  });
});
