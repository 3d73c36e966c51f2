import type { Config } from "../config.js";
import type { MetricsSnapshot } from "../http/metrics.js";
import type { RedisServers } from "../service.js";

/** What a worker is to run. Its parent has read the environment, so that all workers have the same settings. */
export interface Assignment {
  /** 1, 2, …; the successor of a worker that ended has the same number. */
  readonly worker: number;
  readonly config: Config;
  readonly redis: RedisServers;
}

/** From the parent to a worker. */
export type Order =
  | { readonly kind: "start"; readonly assignment: Assignment }
  | { readonly kind: "stop"; readonly signal: NodeJS.Signals }
  /** Send a snapshot of the metrics. */
  | { readonly kind: "collect"; readonly id: number }
  /** The metrics of the port, in answer to a scrape. */
  | { readonly kind: "scraped"; readonly id: number; readonly text: string };

/** From a worker to its parent. */
export type Report =
  /** Orders sent before this one are lost. */
  | { readonly kind: "ready" }
  | { readonly kind: "listening"; readonly port: number }
  | { readonly kind: "failed"; readonly reason: string }
  /** Is about to close the port: the parent is to give up its copy of the socket, and disconnects to say that it has. */
  | { readonly kind: "closing" }
  | { readonly kind: "collected"; readonly id: number; readonly metrics: MetricsSnapshot }
  | { readonly kind: "scrape"; readonly id: number };
