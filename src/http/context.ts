import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Logger } from "pino";
import type { Principal } from "../access/key-ring.js";
import type { Rate } from "../access/rates.js";
import type { Clock, Random } from "../clock.js";
import type { Config } from "../config.js";
import type { CallbackDeliveries } from "../delivering/callback-deliveries.js";
import type { HookDeliveries } from "../delivering/hook-deliveries.js";
import type { ServerReports } from "../deployment/server-reports.js";
import type { ErrorCode } from "../errors.js";
import type { Ids } from "../ids.js";
import type { AntiEntropy } from "../primitives/anti-entropy/anti-entropy.js";
import type { Primitives } from "../primitives/namespaced.js";
import type { Lags } from "../primitives/registers/lags.js";
import type { Probing } from "../probing/probing.js";
import type { Primaries } from "../quorum/primaries.js";
import type { Auditing } from "./access/auditing.js";
import type { Permitted } from "./access/authorization.js";
import type { Identity } from "./access/identity.js";
import type { KeyLimits } from "./access/key-limits.js";
import type { Revocations } from "./access/revocations.js";
import type { SealedCursors } from "./access/sealed-cursors.js";
import type { Metrics } from "./metrics.js";
import type { ClientOf } from "./server/client-address.js";
import type { Stopping } from "./server/stopping.js";

/** A port that several workers serve, as one of them sees it. */
export interface SharedPort {
  /** Which worker this is: 1, 2, … */
  readonly worker: number;
  /** The metrics of all workers, in Prometheus' text format. */
  metrics(): Promise<string>;
}

/** What the routes use besides the primitives, which every request has in its namespace. */
export interface Dependencies {
  readonly primaries: Primaries;
  /** What their servers say of themselves. */
  readonly servers: ServerReports;
  readonly antiEntropy: Pick<AntiEntropy, "foundAt">;
  readonly lags: Pick<Lags, "of">;
  /** Whether this instance started them itself. */
  readonly embedded: boolean;
  /** Undefined where one process serves the port alone. */
  readonly port: SharedPort | undefined;
  readonly config: Config;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly stopping: Stopping;
  readonly probing: Pick<Probing, "check">;
  readonly hookDeliveries: Pick<HookDeliveries, "check">;
  readonly callbackDeliveries: Pick<CallbackDeliveries, "check" | "begin">;
  readonly identity: Identity;
  readonly keyLimits: KeyLimits;
  readonly auditing: Auditing;
  readonly revocations: Revocations;
  readonly cursors: SealedCursors;
  /** Whether a path needs no key. */
  readonly isOpen: (url: string) => boolean;
  readonly clientOf: ClientOf;
}

/** What all routes together are made of. */
export interface Services extends Dependencies, Primitives {}

export interface Env {
  readonly Variables: {
    requestId: string;
    /** Missing where a route is open to callers without a key. */
    principal?: Principal;
    /** What the request may do; missing before that is known. */
    permitted?: Permitted;
    /** Where the requests of its key are limited. */
    rate?: Rate;
    code?: ErrorCode;
    /** Leases that the request has renewed and that its answer does not name: secrets. */
    kept?: readonly { readonly leaseId: string; readonly ttlMs: number }[];
  };
}

export type App = OpenAPIHono<Env>;
