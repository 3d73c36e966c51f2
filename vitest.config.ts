import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";

const SIMULATION = "test/simulation/**/*.test.ts";

export default defineConfig({
  test: {
    globalSetup: ["test/helpers/global-setup.ts"],
    projects: [
      {
        test: {
          name: "tests",
          include: ["test/**/*.test.ts"],
          exclude: [...configDefaults.exclude, SIMULATION],
          // Real primaries are killed, paused and restarted: slow is normal, hanging is not.
          testTimeout: 20_000,
          hookTimeout: 30_000,
          expect: { poll: { timeout: 10_000 } },
          // Tests wait for Redis far more than they compute, so every core gets a worker (vitest leaves one idle).
          maxWorkers: Math.max(2, availableParallelism()),
        },
      },
      {
        test: {
          name: "simulation",
          include: [SIMULATION],
          testTimeout: 20_000,
          hookTimeout: 30_000,
          // After all others, one file after the other: each computes on every core, and others measure time.
          sequence: { groupOrder: 1 },
          maxWorkers: 1,
        },
      },
    ],
  },
});
