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
import { ConfigurationKeeper } from "./redis/configuration.js";
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
  readonly locks: Locks;
  readonly membership: Membership;
  readonly owners: Owners;
  /** From now on: not ready, and no new work. */
  stop(): void;
  close(): void;
}

/** Config -> primaries -> primitives -> app. */
export function createService(
  config: Config,
  redis: { readonly urls: readonly string[]; readonly embedded: boolean },
  world: World,
): Service {
  const { clock, log, ids, random } = world;
  const metrics = new Metrics();
  const keys = new Keys(config.keyPrefix);
  const observer: PrimaryObserver = {
    called: (...call) => metrics.called(...call),
    dropped: (primary) => metrics.dropped(primary),
    changed: (primary, status) => {
      const { state, reason } = status;
      metrics.changed(primary, status);
      const line = { primary: primary.address, state, ...(reason && { reason }) };
      if (primary.up) log.info(line, "primary takes part");
      else log.warn(line, "primary takes no part");
    },
  };
  const all = redis.urls.map(
    (url) => new Primary(addressOf(url), url, world.connect, keys, clock, config, observer),
  );
  const keeper = new ConfigurationKeeper(
    all,
    keys,
    clock,
    random,
    ids,
    { ...config, embedded: redis.embedded },
    log,
  );
  const primaries = new Primaries(all, keeper);
  metrics.observe(primaries);
  const membership = new Membership(primaries, keys, clock, ids);
  const votes = new LeaseVotes(primaries, keys, ids, config);
  let stopping = false;
  const locks = new Locks(votes, primaries.all.length, clock, random, ids);
  const owners = new Owners(membership, clock, config.viewAgeMsMax);
  const app = createApp({
    config,
    primaries,
    membership,
    locks,
    owners,
    metrics,
    log,
    clock,
    ids,
    stopping: () => stopping,
  });
  return {
    app,
    primaries,
    locks,
    membership,
    owners,
    stop: () => {
      stopping = true;
    },
    close: () => {
      keeper.close();
      primaries.close();
    },
  };
}
