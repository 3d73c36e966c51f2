// Calls an instance of a service that is alive. The same key goes to the same instance while that is there.
//
//   node call.mjs SERVICE KEY
import { Quorate } from "quorate/client";

const [service, key] = process.argv.slice(2);
const urls = (process.env.QUORATE_URL ?? "http://127.0.0.1:8080").split(",");
const quorate = new Quorate({ urls, key: process.env.QUORATE_KEY });

// Reads the members again and again. Choosing one of them sends nothing.
const ring = await quorate.ring(service);
console.log(await call(`/things/${key}`));
ring.close();

/** Asks the first instance for the key; the next one when it does not answer. */
async function call(path) {
  let failure = new Error(`${service} has no members`);
  for (const { id, address } of ring.replicas(key, 3)) {
    try {
      const response = await fetch(`http://${address}${path}`, { signal: AbortSignal.timeout(1_000) });
      if (response.status < 500) return await response.text();
      failure = new Error(`${id}: ${response.status}`);
    } catch (error) {
      // It died a moment ago, and is a member until its ttlMs is over.
      failure = error;
    }
  }
  throw failure;
}
