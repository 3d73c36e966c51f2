/**
 * Uses the built client once against a running service, on whatever runs this file:
 *
 *   npm run build && npm start
 *   node scripts/client-smoke.mjs http://127.0.0.1:8080
 *   bun scripts/client-smoke.mjs http://127.0.0.1:8080
 *   deno run --allow-net --allow-read scripts/client-smoke.mjs http://127.0.0.1:8080
 *
 * In a browser, serve dist/ and `import("/client/quorate.js")` from a page of the same origin as the service.
 */
import { Quorate, QuorateError } from "../dist/client/quorate.js";

const { argv } = globalThis.process ?? (await import("node:process"));
const url = argv[2] ?? "http://127.0.0.1:8080";
const quorate = new Quorate({ urls: [url] });
const name = `smoke-${crypto.randomUUID()}`;

const token = await quorate.withLock(name, { ttlMs: 2_000 }, async (lease) => {
  const code = await quorate
    .acquireLock(name, { ttlMs: 2_000 })
    .catch((error) => error instanceof QuorateError && error.code);
  if (code !== "held") throw new Error(`a lock that is held was answered with ${code}`);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  if (lease.signal.aborted) throw lease.signal.reason;
  return lease.fencingToken;
});
const member = await quorate.join(name, { id: "one", address: "here" });
const ring = await quorate.ring(name);
if (ring.owner("key")?.id !== "one") throw new Error("the only member does not own a key");
ring.close();
await member.leave();
console.log(`ok: a lock was kept for 3 s with the token ${token}`);
