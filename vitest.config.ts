import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/helpers/global-setup.ts"],
    // Real primaries are killed, paused and restarted: slow is normal, hanging is not.
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Tests wait for Redis far more than they compute, so every core gets a worker (vitest leaves one idle).
    maxWorkers: Math.max(2, availableParallelism()),
  },
});
