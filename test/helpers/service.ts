import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock, systemRandom } from "../../src/clock.js";
import { readConfig } from "../../src/config.js";
import { describe } from "../../src/http/openapi.js";
import { serverFiles } from "../../src/http/server/secure.js";
import { createServer } from "../../src/http/server/server.js";
import { systemIds } from "../../src/ids.js";
import { toLogger } from "../../src/log.js";
import { type Connection, connectByIoredis } from "../../src/redis/connection.js";
import { RedisTls } from "../../src/redis/redis-tls.js";
import { createService, type Service, type World } from "../../src/service.js";
import { LivePem } from "../../src/tls/live-pem.js";
import { type Answer, Contract } from "./contract.js";
import { ownPrefix } from "./names.js";

export { chosenId, freshName, ownPrefix } from "./names.js";

/** One instance of the service inside the test's process. */
export interface Instance extends AsyncDisposable {
  readonly service: Service;
  /** What its keys begin with. */
  readonly prefix: string;
  /** One line of JSON each, at the level of `QUORATE_LOG_LEVEL` (silent unless set). */
  readonly logged: readonly string[];
  /** A request without a socket. Throws where the answer is not one that openapi.json declares. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Where it listens; from the first call on. */
  url(): Promise<string>;
}

export interface InstanceOptions {
  /** Instances that work together share it. */
  readonly prefix?: string;
  readonly env?: Record<string, string>;
  readonly world?: Partial<World>;
  /** How many primaries must be up before the test goes on; all, unless said otherwise. */
  readonly up?: number;
  /** The latest protocol that it knows: an instance of an earlier version, or of a later one. */
  readonly protocol?: number;
}

/** The machine of a test may be slow at times. Tests that are about slow primaries set what users have: 100. */
export const PATIENT = { QUORATE_COMMAND_TIMEOUT_MS: "1000" };

export async function startInstance(
  urls: readonly string[],
  options: InstanceOptions = {},
): Promise<Instance> {
  const settings = readConfig({
    REDIS_URLS: urls.join(","),
    QUORATE_KEY_PREFIX: options.prefix ?? ownPrefix(),
    QUORATE_LOG_LEVEL: "silent",
    ...PATIENT,
    ...options.env,
  });
  const { protocol } = options;
  const config = protocol === undefined ? settings : { ...settings, protocol };
  const logged: string[] = [];
  const log = toLogger(config.logLevel, { write: (line) => void logged.push(line) });
  const redisTls = new RedisTls(config, systemClock, log);
  const service = createService(
    config,
    { urls, embedded: false },
    {
      connect: redisTls.connecting(connectByIoredis),
      clock: systemClock,
      random: systemRandom,
      ids: systemIds,
      log,
      ...options.world,
    },
  );
  const api = contractOf(service);
  let server: Server | undefined;
  let live: LivePem | undefined;
  const instance: Instance = {
    service,
    prefix: config.keyPrefix,
    logged,
    call: async (method, path, body, headers = {}) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const response = await service.app.request(path, {
        method,
        headers: {
          ...(text !== undefined && {
            "content-type": "application/json",
            // What a socket's other end would send, and a Request alone does not say.
            "content-length": String(Buffer.byteLength(text)),
          }),
          ...headers,
        },
        ...(text !== undefined && { body: text }),
      });
      const answer = await toAnswer(response);
      api.check(method, path, answer);
      return answer;
    },
    url: async () => {
      if (!server) {
        const files = serverFiles(config);
        live = files && new LivePem(files, systemClock, log);
        server = createServer(service, config, systemIds, systemClock, live);
        await once(server.listen(0, "127.0.0.1"), "listening");
      }
      return `${live ? "https" : "http"}://127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
    [Symbol.asyncDispose]: async () => {
      server?.close();
      server?.closeAllConnections();
      live?.close();
      redisTls.close();
      service.close();
    },
  };
  // On a busy machine as well, where dozens start together.
  await until(() => countUp(instance) >= (options.up ?? urls.length), "enough primaries are up", 30_000);
  return instance;
}

// Making the document and what checks against it takes a tenth of a second, and is the same for all instances.
let contract: Contract | undefined;

function contractOf({ app }: Service): Contract {
  contract ??= new Contract(describe(app) as unknown as ConstructorParameters<typeof Contract>[0]);
  return contract;
}

/** An instance none of whose primaries can be reached: for what needs no Redis. */
export function startOffline(options: Omit<InstanceOptions, "up"> = {}): Promise<Instance> {
  const connection: Connection = {
    ready: false,
    onChange: () => {},
    call: () => Promise.reject(new Error("not connected")),
    close: () => {},
  };
  const urls = ["redis://10.0.0.1", "redis://10.0.0.2", "redis://10.0.0.3"];
  return startInstance(urls, { ...options, world: { connect: () => connection, ...options.world }, up: 0 });
}

export async function toAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = /json/.test(response.headers.get("content-type") ?? "");
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

export function countUp({ service }: Instance): number {
  return service.primaries.all.filter((primary) => primary.up).length;
}

/** Waits for a condition, looking every few ms; fails by name where it does not come true. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  patienceMs = 10_000,
): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`not within ${patienceMs} ms: ${what}`);
    await sleep(5);
  }
}
