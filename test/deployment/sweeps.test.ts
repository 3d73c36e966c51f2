import { Redis } from "ioredis";
import { test } from "vitest";
import { Keys } from "../../src/scripts/keys.js";
import { startPrimaries } from "../helpers/primaries.js";
import { ownPrefix, startInstance, until } from "../helpers/service.js";

/** At a thousand a second, as once, it would take more than a minute. */
const ENDED = 80_000;

test("tens of thousands of names that ended by themselves are forgotten on all primaries, by two instances", async () => {
  const primaries = await startPrimaries(3, { args: ["--appendonly", "no"] });
  const servers = primaries.urls.map((url) => new Redis(url, { protocol: 2, disableClientInfo: true }));
  try {
    const prefix = ownPrefix();
    const { held } = new Keys(prefix);
    for (let at = 0; at < ENDED; at += 5_000) {
      const names = Array.from({ length: 5_000 }, (_, i) => [0, `lock/ended-${at + i}`]).flat();
      await Promise.all(servers.map((server) => server.zadd(held, ...names)));
    }
    await using one = await startInstance(primaries.urls, { prefix });
    await using _other = await startInstance(primaries.urls, { prefix });
    await one.call("POST", "/v1/locks/stays/acquire", { ttlMs: 300_000 });
    const listed = () => Promise.all(servers.map((server) => server.zrange(held, "0", "1")));
    await until(
      async () => (await listed()).every(([first, second]) => first === "lock/stays" && !second),
      "all but the one that is held are forgotten",
      45_000,
    );
  } finally {
    for (const server of servers) server.disconnect();
    await primaries.close();
  }
}, 90_000);
