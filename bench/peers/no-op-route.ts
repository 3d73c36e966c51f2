/**
 * What a route costs that does nothing: an instance of the service whose picks are always the same. A request has the same way as
 * with us, through gates, admission, routing, authorization, validation and metrics, to an answer of the same size.
 */
import { pino } from "pino";
import { systemClock, systemRandom } from "../../src/clock.js";
import { readConfig } from "../../src/config.js";
import { createServer } from "../../src/http/server/server.js";
import { systemIds } from "../../src/ids.js";
import type { Member } from "../../src/primitives/members/member.js";
import { connectByIoredis } from "../../src/redis/connection.js";
import { createService } from "../../src/service.js";

const config = readConfig({ ...process.env, QUORATE_KEY_PREFIX: "no-op:" });
const service = createService(
  config,
  { urls: config.redisUrls, embedded: false },
  {
    connect: connectByIoredis,
    clock: systemClock,
    random: systemRandom,
    ids: systemIds,
    log: pino({ level: "silent" }),
  },
);
const member: Member = {
  id: "member-0",
  address: "http://10.0.0.10:9000",
  weight: 1,
  zone: null,
  tags: [],
  metadata: null,
  status: "up",
  incarnation: 1_700_000_000_000,
  revision: 1,
  ttlMs: 600_000,
  lastHeartbeatAgeMs: 10_000,
  endsInMs: null,
  load: null,
};
const picked = { members: [member], alternatives: [member, member], fallbacks: [], ageMs: 100 };
Object.assign(service.picks, { pick: () => picked });

const server = createServer(service, config, systemIds, systemClock);
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object")
    console.log(`listens on http://127.0.0.1:${address.port}`);
});
