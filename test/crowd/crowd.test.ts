import { describe, expect, test } from "vitest";
import { processRun } from "../helpers/run.js";
import { ATTACKS } from "./attacks/all.js";
import { runAttack } from "./run.js";

// Each of them made an instance, or all primaries, useless for everybody else. All, and larger: npm run crowd.

/**
 * Those of each change: one for every way in which a crowd has harmed others. The others harm in one of these ways, too,
 * or their subject has a test of its own (test/http/overload.test.ts, test/redis/sweeps.test.ts, test/rolling.test.ts).
 * CROWD_KINDS=all, or names with commas between, takes others.
 */
const PER_CHANGE = [
  "readers",
  "line",
  "members",
  "owners",
  "gone",
  "permit-line",
  "slow-bodies",
  "break",
  "watchers",
];
const kinds = process.env.CROWD_KINDS?.split(",") ?? PER_CHANGE;

describe.skipIf((await processRun()) === null)(
  "nobody else suffers (skipped where no redis-server is installed) when",
  () => {
    const tested = ATTACKS.filter(
      ({ name, clientsInTests }) => clientsInTests > 0 && (kinds.includes("all") || kinds.includes(name)),
    );
    test.each(tested.map((attack) => [attack.name, attack.about, attack] as const))(
      "%s: %s",
      async (_, __, attack) => {
        const { broken } = await runAttack(attack, {
          clients: attack.clientsInTests,
          seconds: attack.secondsInTests,
          slack: SLACK,
          // Else a primary that waits for a core is taken for gone.
          env: { QUORATE_COMMAND_TIMEOUT_MS: String(100 * SLACK) },
        });
        expect(broken).toEqual([]);
      },
    );
  },
);

/** The machine may be twice as slow, and busy. */
const SLACK = 3;
