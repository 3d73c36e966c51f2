// Does a job on one machine of many: the one that leads.
//
//   node leader.mjs ELECTION
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Quorate } from "quorate/client";

const [election] = process.argv.slice(2);
const urls = (process.env.QUORATE_URL ?? "http://127.0.0.1:8080").split(",");
const quorate = new Quorate({ urls, key: process.env.QUORATE_KEY });

const shutdown = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => shutdown.abort());

await quorate.lead(election, {
  ttlMs: 5_000,
  candidate: `${hostname()}-${process.pid}`,
  signal: shutdown.signal,
  onElected: async ({ fencingToken }, stop) => {
    console.log(`leading, term ${fencingToken}`);
    while (!stop.aborted) await sendInvoices(fencingToken, stop);
    // The next leader is let in only after this, unless the term is lost.
    console.log("finished");
  },
  onLost: ({ message }) => console.log(`lost: ${message}`),
});

/** Sends the invoices that are due, with the token in every write, and stops when the signal aborts. */
async function sendInvoices(_fencingToken, _signal) {
  await sleep(200);
}
