import { randomBytes } from "node:crypto";
import { pino } from "pino";
import { systemClock, systemRandom } from "../../src/clock.js";
import { readConfig } from "../../src/config.js";
import { systemIds } from "../../src/ids.js";
import { type Connect, connectByIoredis } from "../../src/redis/connection.js";
import { createService, type Service, type World } from "../../src/service.js";

/** An instance of the service in this process, once all its primaries take part. */
export async function startInstance(
  urls: readonly string[],
  options: {
    connect?: Connect;
    prefix?: string;
    env?: Record<string, string>;
    world?: Partial<World>;
  } = {},
): Promise<Service> {
  const prefix = options.prefix ?? `bench${randomBytes(4).toString("hex")}:`;
  const config = readConfig({ QUORATE_KEY_PREFIX: prefix, REDIS_URLS: urls.join(","), ...options.env });
  const service = createService(
    config,
    { urls, embedded: false },
    {
      connect: options.connect ?? connectByIoredis,
      clock: systemClock,
      random: systemRandom,
      ids: systemIds,
      log: pino({ level: "silent" }),
      ...options.world,
    },
  );
  while (!service.primaries.all.every(({ up }) => up)) await systemClock.sleep(5);
  return service;
}
