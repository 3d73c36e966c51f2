// Sends work to an instance of a service that is not busy, and to another one if that does not answer.
//
//   node pick.mjs SERVICE PATH
import { Quorate } from "quorate/client";

const [service, path] = process.argv.slice(2);
const urls = (process.env.QUORATE_URL ?? "http://127.0.0.1:8080").split(",");
const quorate = new Quorate({ urls, key: process.env.QUORATE_KEY });

console.log(await call(path));

/** Asks the less busy of two, then its alternatives. Only what can be repeated may be sent like this. */
async function call(path) {
  const { members, alternatives } = await quorate.pick(service, { strategy: "least-load" });
  let failure;
  for (const { id, address } of [...members, ...alternatives]) {
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
