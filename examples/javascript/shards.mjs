// Workers share 16 shards. Each shard has one worker at a time.
//
//   node shards.mjs SERVICE ID
import { setTimeout as sleep } from "node:timers/promises";
import { Quorate } from "quorate/client";

const [service, id] = process.argv.slice(2);
const urls = (process.env.QUORATE_URL ?? "http://127.0.0.1:8080").split(",");
const quorate = new Quorate({ urls, key: process.env.QUORATE_KEY });

const shutdown = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => shutdown.abort());

const member = await quorate.join(service, { id, address: id, ttlMs: 5_000 });
const ring = await quorate.ring(service, { refreshMs: 500 });
// The second aborts when another process has taken the id.
const stop = AbortSignal.any([shutdown.signal, member.signal]);
await Promise.all(Array.from({ length: 16 }, (_, index) => tend(`shard-${index}`)));
ring.close();
await member.leave();

/** The ring says who should have a shard: two workers may see different rings for a moment. The lock says who has it. */
async function tend(shard) {
  const isOurs = () => ring.owner(shard)?.id === id && !stop.aborted;
  while (!stop.aborted) {
    if (!isOurs()) {
      await sleep(500);
      continue;
    }
    const options = { ttlMs: 5_000, waitMs: 20_000, owner: id, signal: stop };
    try {
      await quorate.withLock(`${service}-${shard}`, options, async ({ signal, fencingToken }) => {
        console.log(`${shard} begins, token ${fencingToken}`);
        while (isOurs() && !signal.aborted) await work(shard, fencingToken);
        console.log(`${shard} ends`);
      });
    } catch (error) {
      if (stop.aborted) return;
      console.error(`${shard}: ${error.message}`);
      await sleep(1_000);
    }
  }
}

/** Does a little of what there is to do, with the token in every write. */
async function work(_shard, _fencingToken) {
  await sleep(200);
}
