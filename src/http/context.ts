import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Logger } from "pino";
import type { Clock, Random } from "../clock.js";
import type { Config } from "../config.js";
import type { ErrorCode } from "../errors.js";
import type { Ids } from "../ids.js";
import type { Elections } from "../primitives/election.js";
import type { Locks } from "../primitives/lock.js";
import type { Membership } from "../primitives/members/membership.js";
import type { Owners } from "../primitives/rings/owners.js";
import type { Semaphores } from "../primitives/semaphore.js";
import type { Primaries } from "../quorum/primaries.js";
import type { Metrics } from "./metrics.js";
import type { Stopping } from "./server/stopping.js";

/** What the service coordinates with. */
export interface Primitives {
  readonly primaries: Primaries;
  readonly locks: Locks;
  readonly semaphores: Semaphores;
  readonly elections: Elections;
  readonly membership: Membership;
  readonly owners: Owners;
}

/** A port that several workers serve, as one of them sees it. */
export interface SharedPort {
  /** Which worker this is: 1, 2, … */
  readonly worker: number;
  /** The metrics of all workers, in Prometheus' text format. */
  metrics(): Promise<string>;
}

/** What the routes use. */
export interface Services extends Primitives {
  /** Undefined where one process serves the port alone. */
  readonly port: SharedPort | undefined;
  readonly config: Config;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly stopping: Stopping;
}

export interface Env {
  readonly Variables: { requestId: string; code?: ErrorCode };
}

export type App = OpenAPIHono<Env>;
