import type { Logger } from "pino";
import type { Clock, Random } from "./clock.js";
import { addressOf, type Config } from "./config.js";
import { createApp } from "./http/app.js";
import type { App } from "./http/context.js";
import { Metrics } from "./http/metrics.js";
import type { Ids } from "./ids.js";
import { Locks } from "./primitives/lock.js";
import { Membership } from "./primitives/membership.js";
import { Owners } from "./primitives/owners.js";
import type { Connect } from "./redis/connection.js";
import { Keys } from "./redis/keys.js";
import { Primaries } from "./redis/primaries.js";
import { Primary, type PrimaryObserver } from "./redis/primary.js";
import { LeaseVotes } from "./redis/redlock.js";

/** What the service gets from the outside world; a simulation has its own. */
export interface World {
  readonly connect: Connect;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly log: Logger;
}

/** One instance of the service, put together but not listening. */
export interface Service {
  readonly app: App;
  readonly primaries: Primaries;
  /** From now on: not ready, and no new work. */
  stop(): void;
  close(): void;
}

/** Config -> primaries -> primitives -> app. */
export function createService(config: Config, redisUrls: readonly string[], world: World): Service {
  const { clock, log, ids } = world;
  const metrics = new Metrics();
  const keys = new Keys(config.keyPrefix);
  const observer: PrimaryObserver = {
    called: (...call) => metrics.called(...call),
    dropped: (primary) => metrics.dropped(primary),
    changed: (primary, reason) => {
      metrics.changed(primary);
      if (primary.up) log.info({ primary: primary.address }, "primary is up");
      else log.warn({ primary: primary.address, reason }, "primary is down");
    },
  };
  const primaries = new Primaries(
    redisUrls.map((url) => new Primary(addressOf(url), url, world.connect, keys, clock, config, observer)),
  );
  const membership = new Membership(primaries, keys, clock, ids);
  const votes = new LeaseVotes(primaries, keys, config);
  let stopping = false;
  const app = createApp({
    config,
    primaries,
    membership,
    locks: new Locks(votes, primaries.all.length, clock, world.random, ids),
    owners: new Owners(membership, clock, config.viewAgeMsMax),
    metrics,
    log,
    clock,
    ids,
    stopping: () => stopping,
  });
  return {
    app,
    primaries,
    stop: () => {
      stopping = true;
    },
    close: () => primaries.close(),
  };
}
