#!/usr/bin/env node
import { existsSync } from "node:fs";
import { isIPv6 } from "node:net";
import type { Logger } from "pino";
import { systemClock, systemRandom } from "./clock.js";
import { addressOf, type Config, ConfigError, readConfig } from "./config.js";
import { startEmbedded } from "./embedded/embedded.js";
import { serverFiles } from "./http/server/secure.js";
import { createServer, type HttpServer } from "./http/server/server.js";
import { systemIds } from "./ids.js";
import { createLog } from "./log.js";
import { connectByIoredis } from "./redis/connection.js";
import { RedisTls } from "./redis/redis-tls.js";
import { createService, type Service } from "./service.js";
import { LivePem } from "./tls/live-pem.js";

/** Start-up and shutdown, nothing else. */
async function main(): Promise<void> {
  const config = await orExit(() => {
    if (existsSync(".env")) process.loadEnvFile(".env");
    return readConfig(process.env);
  });
  const { log, output } = createLog(config.logLevel, systemClock);
  for (const warning of config.warnings) log.warn(warning);
  const tls = await orExit(() => readTls(config, log));
  const embedded =
    config.redisUrls.length === 0 ? await orExit(() => startEmbedded(log, config.embedded)) : undefined;
  const urls = embedded?.urls ?? config.redisUrls;
  const service = createService(
    config,
    { urls, embedded: embedded !== undefined },
    {
      connect: tls.redis.connecting(connectByIoredis),
      clock: systemClock,
      random: systemRandom,
      ids: systemIds,
      log,
      logDropped: () => output.dropped,
    },
  );
  const server = createServer(service, config, systemIds, systemClock, tls.http);
  reloadOnSignal(tls);
  stopOnSignals(server, service, config, log, async () => embedded?.stop());
  await someTimeForQuorum(service);
  server.on("error", async (error) => {
    log.fatal(`Cannot listen on ${config.host}:${config.port}: ${error.message}`);
    service.close();
    await embedded?.stop();
    process.exit(1);
  });
  server.listen({ port: config.port, host: config.host, backlog: BACKLOG }, () => {
    const address = server.address();
    const port = typeof address === "object" ? address?.port : config.port;
    log.info(
      { primaries: urls.map(addressOf), quorum: service.primaries.quorum },
      `Quorate listens on ${tls.http ? "https" : "http"}://${isIPv6(config.host) ? `[${config.host}]` : config.host}:${port} (API: /docs)`,
    );
  });
}

interface Tls {
  /** Undefined: plain HTTP. */
  readonly http: LivePem | undefined;
  readonly redis: RedisTls;
}

/** Reads certificates, keys and CAs. Throws `ConfigError` with a line for each mistake in all of them. */
function readTls(config: Config, log: Logger): Tls {
  const mistakes: string[] = [];
  const attempt = <T>(make: () => T): T | undefined => {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      mistakes.push(...error.mistakes);
      return undefined;
    }
  };
  const files = serverFiles(config);
  const http = attempt(() => files && new LivePem(files, systemClock, log));
  const redis = attempt(() => new RedisTls(config, systemClock, log));
  if (!redis || mistakes.length > 0) throw new ConfigError(mistakes);
  return { http, redis };
}

/** SIGHUP reads the files of TLS at once. Without any, it ends the process, as it does when a terminal is closed. */
function reloadOnSignal({ http, redis }: Tls): void {
  if (!http && !redis.hasFiles) return;
  process.on("SIGHUP", () => {
    void http?.reload();
    void redis.reload();
  });
}

/** If nothing can be started, prints one line for each reason. */
async function orExit<T>(start: () => T | Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    const lines = error instanceof ConfigError ? error.mistakes : [String(error)];
    for (const line of lines) process.stderr.write(`quorate: ${line}\n`);
    process.exit(1);
  }
}

/**
 * Waits until all primaries are up, so that the first request finds them too: for `START_MS` at most if there is a quorum,
 * else for `START_MS_MAX`.
 */
async function someTimeForQuorum({ primaries }: Service): Promise<void> {
  const startMs = systemClock.monotonicMs();
  while (!primaries.all.every(({ up }) => up)) {
    const passedMs = systemClock.monotonicMs() - startMs;
    if (passedMs > (primaries.quorum ? START_MS : START_MS_MAX)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * The first signal lets requests in progress finish, after a delay in which load balancers learn to send no more; a
 * second signal ends the process at once.
 */
function stopOnSignals(
  server: HttpServer,
  service: Service,
  config: Config,
  log: Logger,
  stopEmbedded: () => Promise<void>,
): void {
  let stoppingSinceMs: number | undefined;
  const stop = async (signal: NodeJS.Signals) => {
    const { drainDelayMs, drainMs } = config;
    log.info(
      { signal, drainDelayMs },
      "stopping: not ready from now on, and no new requests after the delay",
    );
    if (drainDelayMs > 0 && server.listening) {
      service.leave();
      server.sockets.leave();
      await new Promise((resolve) => setTimeout(resolve, drainDelayMs));
    }
    const sinceMs = systemClock.monotonicMs();
    // Close the port before answers close their connections: without a delay, all clients would reconnect at this
    // moment.
    if (server.listening) await server.sockets.closePort();
    log.info("the port is closed: requests under way end, new ones are refused");
    service.stop();
    if (!(await server.sockets.end(drainMs - (systemClock.monotonicMs() - sinceMs))))
      log.warn("requests were still under way at the end of the time to stop");
    service.close();
    await stopEmbedded();
    log.info("stopped");
    process.exit(0);
  };
  const onSignal = (signal: NodeJS.Signals) => {
    const nowMs = systemClock.monotonicMs();
    if (stoppingSinceMs === undefined) {
      stoppingSinceMs = nowMs;
      void stop(signal);
    } else if (nowMs - stoppingSinceMs >= SAME_SIGNAL_MS) {
      // Under npm a terminal's Ctrl-C reaches us twice: from the terminal and from npm, which passes it on.
      process.exit(1);
    }
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

/** Connections that may arrive at once before the event loop accepts them. Linux allows 4,096 (net.core.somaxconn). */
const BACKLOG = 4_096;
const START_MS = 300;
const START_MS_MAX = 2_000;
const SAME_SIGNAL_MS = 300;

await main();
