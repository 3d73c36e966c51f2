import type { IncomingMessage } from "node:http";
import type { Logger } from "pino";
import { Access, accessSettings } from "./access/access.js";
import type { Audit } from "./access/audit.js";
import type { Clock, Random } from "./clock.js";
import type { Config } from "./config.js";
import { type CoreObserver, coreObserver } from "./core-observer.js";
import { CallbackDeliveries } from "./delivering/callback-deliveries.js";
import { HookDeliveries } from "./delivering/hook-deliveries.js";
import type { ReconcilerLog } from "./deployment/dependencies.js";
import { Reconciler } from "./deployment/reconciler.js";
import { ServerReports } from "./deployment/server-reports.js";
import type { CoordinationError } from "./errors.js";
import { Auditing } from "./http/access/auditing.js";
import { Identity } from "./http/access/identity.js";
import { KeyLimits } from "./http/access/key-limits.js";
import { openPaths } from "./http/access/open-paths.js";
import { Revocations } from "./http/access/revocations.js";
import { SealedCursors } from "./http/access/sealed-cursors.js";
import { createApp } from "./http/app.js";
import type { App, SharedPort } from "./http/context.js";
import { Metrics, type MetricsSnapshot } from "./http/metrics.js";
import { Admission } from "./http/server/admission.js";
import { clientBehind } from "./http/server/client-address.js";
import type { ClientCertificates } from "./http/server/client-certificate.js";
import { dotSegmentGate } from "./http/server/dot-segments.js";
import type { Gate } from "./http/server/gate.js";
import { hostGate } from "./http/server/hosts.js";
import { Stopping } from "./http/server/stopping.js";
import type { Ids } from "./ids.js";
import { AntiEntropy } from "./primitives/anti-entropy/anti-entropy.js";
import { MemberCopies } from "./primitives/anti-entropy/member-copies.js";
import { RegisterCopies } from "./primitives/anti-entropy/register-copies.js";
import { Elections } from "./primitives/election.js";
import { BoundLeases } from "./primitives/leases/bound-leases.js";
import { Leases } from "./primitives/leases/leases.js";
import { Locks } from "./primitives/lock.js";
import { MemberEvents } from "./primitives/members/events/member-events.js";
import { Membership } from "./primitives/members/membership.js";
import type { Primitives } from "./primitives/namespaced.js";
import { allOnRegisters } from "./primitives/on-registers.js";
import { Picks } from "./primitives/picks/picks.js";
import { WaitQueue } from "./primitives/queue/wait-queue.js";
import type { Lags } from "./primitives/registers/lags.js";
import type { RegisterUpkeep } from "./primitives/registers/upkeep.js";
import { Owners } from "./primitives/rings/owners.js";
import { Semaphores } from "./primitives/semaphore.js";
import { Callbacks } from "./primitives/transactions/callbacks.js";
import { Probing } from "./probing/probing.js";
import { LeaseVotes } from "./quorum/lease-votes.js";
import { Primaries } from "./quorum/primaries.js";
import type { Connect } from "./redis/connection.js";
import { Notifications } from "./redis/notifications.js";
import { Primary } from "./redis/primary.js";
import { Subscriptions } from "./redis/subscriptions.js";
import { Keys } from "./scripts/keys.js";
import { addressOf } from "./setting-values.js";

/** Everything that the service takes from the outside; a simulation supplies its own. */
export interface World {
  readonly connect: Connect;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly log: Logger;
  /** Log lines dropped before they reached their reader, since the start. */
  readonly logDropped?: () => number;
  /** Who makes a request. Without it, settings that name keys let nobody in, and others let everybody. */
  readonly access?: Access;
  /** Undefined: nothing is audited. */
  readonly audit?: Audit | undefined;
  /** Present where several workers serve the port. */
  readonly port?: SharedPort;
}

/** One instance of the service, assembled but not listening. */
export interface Service extends Core {
  readonly app: App;
  /**
   * The checks that a request passes before it reaches the app. `certificates`: of the clients of the server; null: it does
   * not ask for any.
   */
  gates(certificates: ClientCertificates | null): readonly Gate[];
  /** From now on: not ready, but every request is served. */
  leave(): void;
  /** A connection was closed at once because there were too many. */
  connectionRefused(): void;
  /** A request did not pass the gates. */
  turnedAway(incoming: IncomingMessage, why: CoordinationError, requestId: string): void;
  /** The metrics of this instance alone. */
  metricsSnapshot(): Promise<MetricsSnapshot>;
  /** From now on: no new work, and every wait ends. */
  stop(): void;
}

/** Config -> primaries -> primitives -> app. */
export function createService(config: Config, redis: RedisServers, world: World): Service {
  const { clock, random, log, ids, port } = world;
  const metrics = new Metrics(config.metricsPrefixes, clock);
  const admission = new Admission(clock, world.random, config, redis.urls.map(addressOf), metrics, log);
  const core = createCore(config, redis, world, coreObserver(metrics, admission, world));
  const { primaries, waiting, probing, hookDeliveries, callbackDeliveries } = core;
  const { logDropped, audit } = world;
  const { limiter } = admission;
  const deliveries = { hookDeliveries, callbackDeliveries };
  metrics.observe({ primaries, waiting, probing, ...deliveries, limiter, logDropped, audit });
  const stopping = new Stopping();
  const clientOf = clientBehind(config.trustedProxies);
  const isOpen = openPaths(config);
  const access = world.access ?? new Access(accessSettings(config), { clock, log });
  const identity = new Identity({ access, isOpen, clientOf, clock, log, observer: metrics });
  const auditing = new Auditing(audit, clientOf);
  const guards = {
    identity,
    auditing,
    keyLimits: new KeyLimits(clock),
    isOpen,
    clientOf,
    revocations: new Revocations(access, clock),
    cursors: new SealedCursors(() => primaries.deployment, ids),
  };
  const servers = new ServerReports(primaries.all, clock);
  const { embedded } = redis;
  const dependencies = {
    config,
    servers,
    embedded,
    metrics,
    port,
    log,
    clock,
    random,
    ids,
    stopping,
    probing,
    ...deliveries,
    ...guards,
  };
  probing.start();
  hookDeliveries.start();
  callbackDeliveries.start();
  const app = createApp({ ...core, ...dependencies });
  return {
    ...core,
    app,
    gates: (certificates) => [hostGate(config), identity.gate(certificates), dotSegmentGate, admission.gate],
    connectionRefused: () => metrics.connectionRefused(),
    turnedAway: (incoming, { code }, requestId) => auditing.turnedAway(incoming, code, requestId),
    metricsSnapshot: () => metrics.snapshot(),
    leave: () => stopping.announce(),
    stop: () => {
      stopping.begin();
      waiting.stop();
      probing.stop();
      hookDeliveries.stop();
      callbackDeliveries.stop();
    },
  };
}

/** The Redis servers of an instance. */
export interface RedisServers {
  readonly urls: readonly string[];
  readonly embedded: boolean;
}

/** The service without HTTP. */
export interface Core extends Primitives {
  readonly primaries: Primaries;
  readonly waiting: WaitQueue;
  readonly antiEntropy: AntiEntropy;
  readonly registerUpkeep: RegisterUpkeep;
  readonly lags: Lags;
  readonly probing: Probing;
  readonly hookDeliveries: HookDeliveries;
  readonly callbackDeliveries: CallbackDeliveries;
  close(): void;
}

/** Config -> primaries -> primitives. */
export function createCore(
  config: Config,
  redis: RedisServers,
  { clock, random, ids, connect, log }: Omit<World, "log" | "logDropped"> & { readonly log: ReconcilerLog },
  observer: CoreObserver,
): Core {
  const keys = new Keys(config.keyPrefix);
  const onDoubt = () => void reconciler.refresh();
  const all = redis.urls.map(
    (url) => new Primary(addressOf(url), url, config, { connect, keys, clock, observer, onDoubt }),
  );
  const settings = { ...config, embedded: redis.embedded };
  const onAdopted = (version: number) => observer.configured?.(version);
  const reconciler = new Reconciler(all, { keys, clock, random, ids, settings, log, onAdopted });
  const primaries = new Primaries(all, reconciler);
  const votes = new LeaseVotes(primaries, keys, ids, config, (rounds) => observer.granted?.(rounds));
  const bound = new BoundLeases(primaries, keys, votes, clock, config, observer.leases);
  const membership = new Membership(primaries, keys, clock, ids, config, random, bound, observer.members);
  membership.expiry.start();
  const instance = ids.nonce();
  const notifications = new Notifications(
    redis.urls,
    connect,
    keys.notificationChannel(instance),
    config.connectTimeoutMs,
  );
  const waiting = new WaitQueue(
    primaries,
    keys,
    clock,
    notifications,
    ids,
    instance,
    config,
    observer.leases,
  );
  const leases = new Leases(votes, waiting, primaries.all.length, clock, random, ids, bound, observer.leases);
  const subscriptions = new Subscriptions(redis.urls, connect, config.connectTimeoutMs);
  const memberEvents = new MemberEvents(primaries, membership, keys, clock);
  const parts = { keys, clock, random, ids };
  const ofLeases = {
    locks: new Locks(leases, primaries, keys, clock),
    semaphores: new Semaphores(leases, primaries, keys, random, clock, config),
    elections: new Elections(leases, clock, ids),
  };
  const onRegisters = allOnRegisters(primaries, subscriptions, memberEvents, ofLeases, parts, config);
  const probing = new Probing(config.probeAllow, instance, {
    membership,
    primaries,
    keys,
    clock,
    random,
    observer: observer.members,
  });
  const hookDeliveries = new HookDeliveries(config.hookAllow, instance, {
    hooks: onRegisters.hooks,
    membership,
    events: memberEvents,
    locks: ofLeases.locks,
    clock,
    random,
    observer: observer.hooks,
  });
  const callbackDeliveries = new CallbackDeliveries(config.callbackAllow, instance, {
    callbacks: new Callbacks(onRegisters.registers, primaries, keys),
    transactions: onRegisters.transactions,
    membership,
    clock,
    random,
    observer: observer.calls,
  });
  const owners = new Owners(membership.views, clock);
  const antiEntropy = new AntiEntropy(
    primaries,
    [
      new MemberCopies(primaries, keys, clock, random),
      new RegisterCopies(primaries, keys, onRegisters.registers, random),
    ],
    { keys, clock, random, ids },
    config.antiEntropyIntervalMs,
    observer.antiEntropy,
  );
  return {
    primaries,
    membership,
    memberEvents,
    ...ofLeases,
    waiting,
    antiEntropy,
    owners,
    ...onRegisters,
    picks: new Picks(membership.views, owners, clock, random),
    probing,
    hookDeliveries,
    callbackDeliveries,
    close: () => {
      membership.expiry.close();
      antiEntropy.close();
      probing.stop();
      hookDeliveries.stop();
      callbackDeliveries.stop();
      reconciler.close();
      onRegisters.registerUpkeep.close();
      onRegisters.registerEvents.close();
      onRegisters.transactionEvents.close();
      notifications.close();
      subscriptions.close();
      primaries.close();
    },
  };
}
