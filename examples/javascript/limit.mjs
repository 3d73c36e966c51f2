// Makes a report, of which at most two are made at a time, however many processes and machines there are.
//
//   node limit.mjs SEMAPHORE
import { setTimeout as sleep } from "node:timers/promises";
import { Quorate } from "quorate/client";

const [semaphore] = process.argv.slice(2);
const urls = (process.env.QUORATE_URL ?? "http://127.0.0.1:8080").split(",");
const quorate = new Quorate({ urls, key: process.env.QUORATE_KEY });

await quorate.withPermits(semaphore, { limit: 2, ttlMs: 5_000, waitMs: 60_000 }, async ({ signal }) => {
  console.log("begins");
  await makeReport(signal);
  console.log("ends");
});

/** Stops when the signal aborts: then another process may have the permit. */
async function makeReport(signal) {
  await sleep(1_000, undefined, { signal });
}
