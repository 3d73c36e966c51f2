import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { Keys } from "../../../src/scripts/keys.js";
import { type Attack, unless } from "../attack.js";
import { Client } from "../client.js";

export const expired: Attack = {
  name: "expired",
  about: "so many locks a second are taken for 0.5 s and left to end by themselves",
  clients: 4_000,
  clientsInTests: 4_000,
  seconds: 20,
  secondsInTests: 3,
  async run({ urls: [url = ""], primaries, clients, seconds }) {
    const client = new Client(url);
    const servers = primaries.map((each) => new Redis(each, { protocol: 2, disableClientInfo: true }));
    using _ = {
      [Symbol.dispose]: () => {
        for (const server of servers) server.disconnect();
        client.close();
      },
    };
    const { held } = new Keys("q:");
    const listed = async () => Math.max(...(await Promise.all(servers.map((server) => server.zcard(held)))));
    let taken = 0;
    let turn = 0;
    const startMs = performance.now();
    const take = async () => {
      for (;;) {
        const dueMs = startMs + (1000 * turn) / clients;
        if (dueMs > startMs + seconds * 1000) return;
        const name = `expired-${process.pid}-${turn++}`;
        await sleep(Math.max(0, dueMs - performance.now()));
        if (performance.now() > startMs + seconds * 1000) return;
        if ((await client.post(`/v1/locks/${name}/acquire`, { ttlMs: 500 })).status === 200) taken += 1;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, take));
    const perSecond = (1000 * taken) / (performance.now() - startMs);
    const figures: Record<string, number> = { taken, "taken per second": perSecond };
    const endMs = performance.now();
    for (const afterS of LOOKS_S) {
      await sleep(Math.max(0, endMs + afterS * 1000 - performance.now()));
      const left = await listed();
      figures[`listed ${afterS} s later`] = left;
      if (left <= taken * LEFT_MAX) return figures;
    }
    return figures;
  },
  broken: (figures) => {
    const left = figures[`listed ${LOOKS_S.at(-1)} s later`] ?? 0;
    const taken = figures.taken ?? 0;
    return unless(
      [taken > 0, "no lock was granted"],
      [left <= taken * LEFT_MAX, `${left} of ${taken} locks that ended by themselves are still in the index`],
    );
  },
};

/** Share of what was taken that may be listed at last. */
const LEFT_MAX = 0.1;
const AT_ONCE = 64;
const LOOKS_S = [0, 2, 5, 10];
