#!/usr/bin/env node
import { existsSync } from "node:fs";
import { isIPv6 } from "node:net";
import { availableParallelism } from "node:os";
import type { Logger } from "pino";
import { type OpenAudit, openAudit } from "./audit-of-instance.js";
import { systemClock, systemRandom } from "./clock.js";
import { type Config, ConfigError, readConfig } from "./config.js";
import { startEmbedded } from "./embedded/embedded.js";
import type { SharedPort } from "./http/context.js";
import { createServer, type HttpServer } from "./http/server/server.js";
import { systemIds } from "./ids.js";
import { createLog } from "./log.js";
import { connectByIoredis } from "./redis/connection.js";
import { createService, type RedisServers, type Service } from "./service.js";
import { addressOf } from "./setting-values.js";
import { startTrust, type Trust } from "./trust.js";
import { ParentLink, processChannel } from "./workers/parent-link.js";
import { isWorkerProcess, workerProcesses } from "./workers/worker-process.js";
import { Workers } from "./workers/workers.js";

/** Start-up and shutdown, nothing else: of the only process, or of the parent of several workers. */
async function main(): Promise<void> {
  const config = await orExit(() => {
    if (existsSync(".env")) process.loadEnvFile(".env");
    return readConfig(process.env);
  });
  const count = config.workers === "auto" ? availableParallelism() : config.workers;
  const fork = count > 1 ? await orExit(workerProcesses) : undefined;
  const { log, output } = createLog(config.logLevel, systemClock);
  for (const warning of config.warnings) log.warn(warning);
  const audit = fork
    ? undefined
    : await orExit(() => openAudit(config, { stdout: output, clock: systemClock, log }));
  const trust = await orExit(() => startTrust(config, systemClock, log, audit?.audit));
  const embedded =
    config.redisUrls.length === 0 ? await orExit(() => startEmbedded(log, config.embedded)) : undefined;
  const redis = { urls: embedded?.urls ?? config.redisUrls, embedded: embedded !== undefined };
  const role: Role = {
    listening: (port, details) => {
      const host = isIPv6(config.host) ? `[${config.host}]` : config.host;
      const primaries = redis.urls.map(addressOf);
      log.info(
        { primaries, ...details },
        `Quorate listens on ${config.tlsCert ? "https" : "http"}://${host}:${port} (API: /docs)`,
      );
    },
    onStop: onSignals,
    releasePort: async () => {},
    end: async (code, reason) => {
      if (reason) log.fatal(reason);
      await embedded?.stop();
      if (code === 0) log.info("stopped");
      process.exit(code);
    },
  };
  const own = { log, logDropped: () => output.dropped };
  if (!fork) return void (await serve(config, redis, role, { trust, audit }, own));
  // Each worker reads its own.
  trust.close();
  const workers = new Workers(count, { config, redis }, { fork, clock: systemClock, log });
  runWorkers(workers, role, reloads(config, trust), log);
}

/** The same for a worker. The parent has read the settings and started what is to be started once. */
async function mainOfWorker(): Promise<void> {
  // A terminal sends its signals to all processes: it is the parent that says what to do.
  for (const signal of [...STOP_SIGNALS, RELOAD_SIGNAL]) process.on(signal, () => {});
  const link = new ParentLink(processChannel, systemClock);
  const { worker, config, redis } = await link.assignment;
  const { log, output } = createLog(config.logLevel, systemClock, { worker });
  const role: Role = {
    listening: (port) => link.listening(port),
    onStop: (stop) => link.onStop(stop),
    releasePort: () => link.releasePort(),
    end: async (code, reason) => {
      if (reason) await link.failed(reason);
      process.exit(code);
    },
  };
  const port = { worker, metrics: () => link.scrape() };
  const audit = await orFail(() => openAudit(config, { stdout: output, clock: systemClock, log }), role);
  const trust = await orFail(() => startTrust(config, systemClock, log, audit?.audit), role);
  const own = { log, logDropped: () => output.dropped, port };
  const service = await serve(config, redis, role, { trust, audit }, own);
  link.provideMetrics(() => service.metricsSnapshot());
}

/** What an instance has to do with the rest of its process. */
interface Role {
  listening(port: number, details: object): void;
  onStop(stop: (signal: NodeJS.Signals) => void): void;
  /** Resolves when this process alone decides whether the port is open. */
  releasePort(): Promise<void>;
  /** Ends the process. `reason`: why the instance cannot serve. */
  end(code: number, reason?: string): Promise<void>;
}

/** One instance: serves until it is told to stop. */
async function serve(
  config: Config,
  redis: RedisServers,
  role: Role,
  { trust, audit }: { readonly trust: Trust; readonly audit: OpenAudit | undefined },
  own: { readonly log: Logger; readonly logDropped: () => number; readonly port?: SharedPort },
): Promise<Service> {
  const service = createService(config, redis, {
    connect: trust.tls.redis.connecting(connectByIoredis),
    clock: systemClock,
    random: systemRandom,
    ids: systemIds,
    access: trust.access,
    audit: audit?.audit,
    ...own,
  });
  const server = createServer(service, config, systemIds, systemClock, trust.tls.http);
  onReload(reloads(config, trust), () => {
    void trust.reload();
    audit?.reopen();
  });
  process.on("exit", () => audit?.flushSync());
  role.onStop((signal) => void stop(signal, role, server, service, config, own.log).then(() => role.end(0)));
  await someTimeForQuorum(service);
  server.on("error", (error) => {
    service.close();
    void role.end(1, `Cannot listen on ${config.host}:${config.port}: ${error.message}`);
  });
  server.listen({ port: config.port, host: config.host, backlog: BACKLOG }, () => {
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : config.port;
    role.listening(port, { quorum: service.primaries.quorum });
  });
  return service;
}

/** The parent of workers: serves nothing itself, and ends when they have. */
function runWorkers(workers: Workers, role: Role, reloads: boolean, log: Logger): void {
  onReload(reloads, () => {
    for (const pid of workers.pids) if (pid !== undefined) process.kill(pid, RELOAD_SIGNAL);
  });
  // Timers of the clock do not keep a process alive that waits to restart its only worker.
  setInterval(() => {}, 60_000);
  process.on("exit", () => workers.kill());
  role.onStop((signal) => {
    log.info({ signal }, "stopping: all workers drain");
    workers.stop(signal);
  });
  void workers.listening.then((port) => role.listening(port, { workers: workers.pids }));
  void workers.ended.then((code) => role.end(code));
  workers.start();
}

/** Whether SIGHUP means something: certificates or keys to be read again, or an audit that is in a file. */
function reloads({ audit }: Config, { hasFiles }: Trust): boolean {
  return hasFiles || typeof audit === "object";
}

/** Otherwise SIGHUP ends the process, as it does when a terminal is closed. */
function onReload(isMeant: boolean, reload: () => void): void {
  if (isMeant) process.on(RELOAD_SIGNAL, reload);
}

/** The files may have been spoilt since the parent has read them. */
async function orFail<T>(start: () => T | Promise<T>, role: Role): Promise<T> {
  try {
    return await start();
  } catch (error) {
    await role.end(1, error instanceof ConfigError ? error.mistakes.join("; ") : String(error));
    throw error;
  }
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
 * Lets requests in progress finish, after a delay in which load balancers learn to send no more.
 */
async function stop(
  signal: NodeJS.Signals,
  role: Role,
  server: HttpServer,
  service: Service,
  { drainDelayMs, drainMs }: Config,
  log: Logger,
): Promise<void> {
  log.info({ signal, drainDelayMs }, "stopping: not ready from now on, and no new requests after the delay");
  if (drainDelayMs > 0 && server.listening) {
    service.leave();
    server.sockets.leave();
    await new Promise((resolve) => setTimeout(resolve, drainDelayMs));
  }
  const sinceMs = systemClock.monotonicMs();
  if (server.listening) await role.releasePort();
  // Close the port before answers close their connections: without a delay, all clients would reconnect at this
  // moment.
  if (server.listening) await server.sockets.closePort();
  log.info("the port is closed: requests under way end, new ones are refused");
  service.stop();
  if (!(await server.sockets.end(drainMs - (systemClock.monotonicMs() - sinceMs))))
    log.warn("requests were still under way at the end of the time to stop");
  service.close();
}

/** Calls `stop` for the first signal; a second one ends the process at once. */
function onSignals(stop: (signal: NodeJS.Signals) => void): void {
  let stoppingSinceMs: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    const nowMs = systemClock.monotonicMs();
    if (stoppingSinceMs === undefined) {
      stoppingSinceMs = nowMs;
      stop(signal);
    } else if (nowMs - stoppingSinceMs >= SAME_SIGNAL_MS) {
      // Under npm a terminal's Ctrl-C reaches us twice: from the terminal and from npm, which passes it on.
      process.exit(1);
    }
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
}

/** Connections that may arrive at once before the event loop accepts them. Linux allows 4,096 (net.core.somaxconn). */
const BACKLOG = 4_096;
const START_MS = 300;
const START_MS_MAX = 2_000;
const SAME_SIGNAL_MS = 300;
const RELOAD_SIGNAL = "SIGHUP";
const STOP_SIGNALS = ["SIGTERM", "SIGINT"] as const;

await (isWorkerProcess() ? mainOfWorker() : main());
