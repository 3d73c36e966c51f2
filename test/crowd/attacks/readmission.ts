import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { Keys } from "../../../src/scripts/keys.js";
import { type Attack, unless } from "../attack.js";
import { Client } from "../client.js";
import { register } from "./members.js";

export const readmission: Attack = {
  name: "readmission",
  about: "a primary forgets everything while one service has so many members with 2 KB of metadata",
  clients: 3_000,
  clientsInTests: 2_000,
  seconds: 20,
  secondsInTests: 10,
  fells: true,
  async run({ urls: [url = ""], primaries, clients, seconds }) {
    const client = new Client(url);
    await register(client, "crowded", clients, (i) => ({
      address: `10.0.0.1:${i}`,
      metadata: { text: "m".repeat(2_000) },
      ttlMs: 300_000,
    }));
    const server = new Redis(primaries[2] as string, { protocol: 2, disableClientInfo: true });
    await server.flushall();
    const startMs = performance.now();
    let backMs = 0;
    const states = new Set<string>();
    while (backMs === 0 && performance.now() - startMs < seconds * 1000) {
      await sleep(100);
      const { status, body } = await client.get("/v1/primaries");
      if (status !== 200) continue;
      const all = (JSON.parse(body) as { primaries: { state: string }[] }).primaries.map(
        ({ state }) => state,
      );
      for (const state of all) states.add(state);
      if (states.size > 1 && all.every((state) => state === "up" || state === "quarantined"))
        backMs = performance.now() - startMs;
    }
    const copied = await server.zcard(new Keys("q:").members("crowded"));
    server.disconnect();
    client.close();
    return { "readmitted after ms": backMs, "members copied": copied, members: clients };
  },
  broken: (figures) =>
    unless(
      [(figures["readmitted after ms"] ?? 0) > 0, "the primary was not readmitted"],
      [
        figures["members copied"] === figures.members,
        `${figures["members copied"]} of ${figures.members} members were copied to it`,
      ],
    ),
};
