import { describe, expect, test } from "vitest";
import { processRun } from "../helpers/run.js";
import { ATTACKS } from "./attacks/all.js";
import { runAttack } from "./run.js";

// Each of them made an instance, or all primaries, useless for everybody else. Larger: npm run crowd.
describe.skipIf((await processRun()) === null)("nobody else suffers when", () => {
  const tested = ATTACKS.filter(({ clientsInTests }) => clientsInTests > 0);
  test.each(tested.map((attack) => [attack.name, attack.about, attack] as const))(
    "%s: %s",
    async (_, __, attack) => {
      const { broken } = await runAttack(attack, {
        clients: attack.clientsInTests,
        seconds: attack.secondsInTests,
        slack: SLACK,
      });
      expect(broken).toEqual([]);
    },
  );
});

/** The machine may be twice as slow, and busy. */
const SLACK = 2.5;
