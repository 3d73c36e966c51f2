/** The process that makes the load. It runs one job at a time, and ends when the bench does. */
import { type Job, runJob } from "./jobs.js";

process.on("message", async (job: Job) => {
  try {
    process.send?.({ sample: await runJob(job) });
  } catch (error) {
    process.send?.({ error: (error as Error).stack ?? String(error) });
  }
});
process.on("disconnect", () => process.exit(0));
// The bench decides when it ends: what it has started must not fail before.
process.on("SIGINT", () => {});
