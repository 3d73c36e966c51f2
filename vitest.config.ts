import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";
import LongestFirst from "./test/helpers/longest-first.js";

const MODELS = "test/model/**/*.test.ts";
const SIMULATION = "test/simulation/**/*.test.ts";
const CROWD = "test/crowd/**/*.test.ts";

// vitest leaves one core idle.
const computing = Math.max(2, availableParallelism());

export default defineConfig({
  test: {
    // With the small nurseries that are the default, a tenth of the time goes into collecting garbage.
    execArgv: ["--max-semi-space-size=64"],
    globalSetup: ["test/helpers/global-setup.ts"],
    sequence: { sequencer: LongestFirst },
    reporters: ["default", "./test/helpers/skipped.ts"],
    projects: [
      {
        test: {
          name: "tests",
          include: ["test/**/*.test.ts"],
          exclude: [...configDefaults.exclude, MODELS, SIMULATION, CROWD],
          // Real primaries are killed, paused and restarted: slow is normal, hanging is not.
          testTimeout: 20_000,
          hookTimeout: 30_000,
          expect: { poll: { timeout: 10_000 } },
          // To load and warm up the service for each file would take longer than most files. Its modules keep nothing
          // that one file could leave to another (test/house.test.ts).
          isolate: false,
          // Tests wait for Redis far more than they compute.
          maxWorkers: Math.max(3, Math.ceil(availableParallelism() * 1.5)),
        },
      },
      {
        test: {
          name: "models",
          include: [MODELS],
          isolate: false,
          testTimeout: 60_000,
          // Beside none that measures time: each computes for as long as it lasts.
          sequence: { groupOrder: 1 },
          maxWorkers: computing,
        },
      },
      {
        test: {
          name: "simulation",
          include: [SIMULATION],
          testTimeout: 60_000,
          hookTimeout: 30_000,
          // Beside the models, and none that measures time: its time is virtual, and what it computes takes every core.
          sequence: { groupOrder: 1 },
          maxWorkers: computing,
        },
      },
      {
        test: {
          name: "crowd",
          include: [CROWD],
          testTimeout: 120_000,
          hookTimeout: 30_000,
          // Last and one by one: each keeps every core busy, and measures how long others then have to wait.
          sequence: { groupOrder: 2 },
          maxWorkers: 1,
        },
      },
    ],
  },
});
