#!/usr/bin/env node
import { existsSync } from "node:fs";
import type { Server } from "node:http";
import type { Logger } from "pino";
import { systemClock, systemRandom } from "./clock.js";
import { addressOf, type Config, ConfigError, readConfig } from "./config.js";
import { createServer } from "./http/server.js";
import { systemIds } from "./ids.js";
import { createLog } from "./log.js";
import { connectByIoredis } from "./redis/connection.js";
import { startEmbedded } from "./redis/embedded.js";
import { createService, type Service } from "./service.js";

/** Start-up and shutdown, nothing else. */
async function main(): Promise<void> {
  const config = configOrExit();
  const { log, output } = createLog(config.logLevel, systemClock);
  for (const warning of config.warnings) log.warn(warning);
  const embedded = config.redisUrls.length === 0 ? await startEmbedded(log, config.embedded) : undefined;
  const urls = embedded?.urls ?? config.redisUrls;
  const service = createService(
    config,
    { urls, embedded: embedded !== undefined },
    {
      connect: connectByIoredis,
      clock: systemClock,
      random: systemRandom,
      ids: systemIds,
      log,
      logDropped: () => output.dropped,
    },
  );
  const server = createServer(service, config, systemIds);
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
      `Quorate listens on http://${config.host}:${port} (API: /docs)`,
    );
  });
}

function configOrExit(): Config {
  try {
    if (existsSync(".env")) process.loadEnvFile(".env");
    return readConfig(process.env);
  } catch (error) {
    const lines = error instanceof ConfigError ? error.mistakes : [String(error)];
    for (const line of lines) process.stderr.write(`quorate: ${line}\n`);
    process.exit(1);
  }
}

/** Most starts find their primaries at once; then the first request finds them too. One that is down is not waited for. */
async function someTimeForQuorum({ primaries }: Service): Promise<void> {
  const startMs = systemClock.monotonicMs();
  while (!primaries.all.every(({ up }) => up)) {
    const passedMs = systemClock.monotonicMs() - startMs;
    if (passedMs > (primaries.quorum ? START_MS : START_MS_MAX)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The first signal lets requests under way end; a second one ends the process at once. */
function stopOnSignals(
  server: Server,
  service: Service,
  config: Config,
  log: Logger,
  stopEmbedded: () => Promise<void>,
): void {
  let stoppingSinceMs: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    const nowMs = systemClock.monotonicMs();
    if (stoppingSinceMs !== undefined) {
      // A terminal's Ctrl-C reaches us twice under npm: from the terminal and from npm, which passes it on.
      if (nowMs - stoppingSinceMs < SAME_SIGNAL_MS) return;
      process.exit(1);
    }
    stoppingSinceMs = nowMs;
    log.info({ signal }, "stopping: requests under way end, new ones are refused");
    service.stop();
    const end = async () => {
      service.close();
      await stopEmbedded();
      log.info("stopped");
      process.exit(0);
    };
    const timer = setTimeout(() => {
      log.warn("requests were still under way at the end of the time to stop");
      server.closeAllConnections();
    }, config.drainMs);
    server.close(() => {
      clearTimeout(timer);
      void end();
    });
    server.closeIdleConnections();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

/** Connections that may come at once, before the event loop takes them in. Linux allows 4,096 (net.core.somaxconn). */
const BACKLOG = 4_096;
const START_MS = 300;
const START_MS_MAX = 2_000;
const SAME_SIGNAL_MS = 300;

await main();
