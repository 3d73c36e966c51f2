// A server that others find by its service, for as long as it is alive.
//
//   node member.mjs SERVICE ID
import { once } from "node:events";
import { createServer } from "node:http";
import { Quorate } from "quorate/client";

const [service, id] = process.argv.slice(2);
const urls = (process.env.QUORATE_URL ?? "http://127.0.0.1:8080").split(",");
const quorate = new Quorate({ urls, key: process.env.QUORATE_KEY });

const server = createServer((request, response) => response.end(`${id} answers ${request.url}\n`));
await once(server.listen(0, "127.0.0.1"), "listening");

// Registered once it can serve. Three heartbeats per ttlMs say that it lives.
const address = `127.0.0.1:${server.address().port}`;
const member = await quorate.join(service, { id, address, ttlMs: 3_000 });
console.log(`${id} at ${address}`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    // First nobody new comes, then those who are here are served.
    await member.leave().catch(() => {});
    server.close();
  });
}
