import { closeRun, openRun } from "./run.js";

export async function setup(): Promise<void> {
  await openRun().catch((error: Error) => {
    // The message says what helps. vitest would bury it under "no test files found" and a trace of these helpers.
    console.error(`\n${error.message}\n`);
    process.exit(1);
  });
}

export const teardown = closeRun;
