import type { Registry } from "prom-client";
import { LiveSet } from "../algorithms/live-set.js";
import type { Clock } from "../clock.js";
import { Namespace } from "../namespace.js";
import type { LeaseObserver } from "../primitives/leases/lease-observer.js";
import type { Waiter } from "../primitives/queue/waiter.js";
import type { MetricsPrefix } from "../setting-values.js";
import { counter, gauge, made, seriesCounter, seriesHistogram } from "./metric-table.js";
import type { Distribution, Tally } from "./series.js";

type Names = "kind" | "namespace" | "prefix";
const NAMES: Names[] = ["kind", "namespace", "prefix"];

const TABLE = {
  quorate_lease_requests_total: seriesCounter<Names | "outcome">(
    [...NAMES, "outcome"],
    "Requests for leases, by outcome: granted, or held by another. Prefixes are those of QUORATE_METRICS_PREFIXES; all other names have none",
  ),
  quorate_lease_queue_seconds: seriesHistogram<Names | "outcome">(
    [...NAMES, "outcome"],
    "Time in the queue of requests for leases that had to wait, by outcome: granted or not",
    [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25],
  ),
  quorate_lease_waiting: gauge(NAMES, "Requests for leases that wait in queues at this instance"),
  quorate_lease_longest_wait_seconds: gauge(
    NAMES,
    "For how long the request for a lease that has waited longest has been in its queue",
    "max",
  ),
  quorate_lease_holders: gauge(
    NAMES,
    "Leases on names with these prefixes that this instance granted or renewed, until it ends them or they expire",
  ),
  quorate_lease_heartbeats_total: counter(
    ["outcome"],
    "Renewals of leases by the heartbeats of the members that they are bound to, by outcome: held, lost, unknown (no quorum)",
  ),
};

/**
 * Contention by names: metrics for each kind and each configured prefix, and one series of a kind for all other names. So
 * their number is bounded, whatever names clients invent. A lease on several names counts under the first.
 */
export class Contention implements LeaseObserver {
  readonly #table: ReturnType<typeof made<typeof TABLE>>;
  readonly #prefixes: readonly Prefix[];
  readonly #series = new Map<string, Series>();
  readonly #held = new LiveSet(HELD_MAX);

  constructor(
    prefixes: readonly MetricsPrefix[],
    private readonly clock: Pick<Clock, "monotonicMs">,
    registry: Registry,
  ) {
    this.#table = made(TABLE, registry);
    // The longest first: a name counts under the most specific prefix.
    this.#prefixes = prefixes
      .map(({ namespace: name, prefix }) => {
        const namespace = new Namespace(name);
        return { namespace, prefix, start: namespace.inner(prefix) };
      })
      .sort((one, other) => other.prefix.length - one.prefix.length);
  }

  joined(waiter: Waiter): void {
    this.#seriesOf(waiter.claim.queues).waiting.set(waiter, this.clock.monotonicMs());
  }

  left(waiter: Waiter, granted: boolean): void {
    const { waiting, queued } = this.#seriesOf(waiter.claim.queues);
    const sinceMs = waiting.get(waiter);
    if (sinceMs === undefined) return;
    waiting.delete(waiter);
    queued[granted ? "granted" : "refused"].observe((this.clock.monotonicMs() - sinceMs) / 1000);
  }

  answered(queues: readonly string[], outcome: "granted" | "held"): void {
    this.#seriesOf(queues).requests[outcome].count++;
  }

  /** Counted by configured prefixes only, since each takes memory. */
  holds(queues: readonly string[], leaseId: string, ttlMs: number): void {
    const { key, isOther } = this.#seriesOf(queues);
    if (isOther) return;
    const nowMs = this.clock.monotonicMs();
    this.#held.put(leaseId, key, nowMs + ttlMs, nowMs);
  }

  beaten(outcome: "held" | "lost" | "unknown"): void {
    this.#table.quorate_lease_heartbeats_total.inc({ outcome });
  }

  ended(leaseId: string): void {
    this.#held.remove(leaseId);
  }

  /** Sets the gauges. */
  scrape(): void {
    const nowMs = this.clock.monotonicMs();
    for (const { key, labels, waiting, isOther } of this.#series.values()) {
      // Maps keep the order of insertion.
      const [longestSinceMs = nowMs] = waiting.values();
      this.#table.quorate_lease_waiting.set(labels, waiting.size);
      this.#table.quorate_lease_longest_wait_seconds.set(labels, (nowMs - longestSinceMs) / 1000);
      if (!isOther) this.#table.quorate_lease_holders.set(labels, this.#held.count(key, nowMs));
    }
  }

  /** `queues`: a kind and an inner name each, such as `lock/orders-42`. */
  #seriesOf([queue = ""]: readonly string[]): Series {
    const slash = queue.indexOf("/");
    const name = queue.slice(slash + 1);
    const prefix = this.#prefixes.find(
      ({ namespace, start }) => namespace.has(name) && name.startsWith(start),
    );
    const key = `${queue.slice(0, slash)} ${prefix?.start ?? "*"}`;
    const known = this.#series.get(key);
    if (known) return known;
    const series = this.#newSeries(key, `${queue.slice(0, slash)}s`, prefix);
    this.#series.set(key, series);
    return series;
  }

  #newSeries(key: string, kind: string, prefix: Prefix | undefined): Series {
    const labels = { kind, namespace: prefix?.namespace.name ?? "", prefix: prefix?.prefix ?? "" };
    const { quorate_lease_requests_total: requests, quorate_lease_queue_seconds: queued } = this.#table;
    return {
      key,
      labels,
      isOther: prefix === undefined,
      waiting: new Map(),
      requests: {
        granted: requests.series({ ...labels, outcome: "granted" }),
        held: requests.series({ ...labels, outcome: "held" }),
      },
      queued: {
        granted: queued.series({ ...labels, outcome: "granted" }),
        refused: queued.series({ ...labels, outcome: "refused" }),
      },
    };
  }
}

interface Prefix {
  readonly namespace: Namespace;
  readonly prefix: string;
  /** How its inner names begin. */
  readonly start: string;
}

/** What is known of the names of one kind with one prefix. */
interface Series {
  readonly key: string;
  readonly labels: Readonly<Record<Names, string>>;
  /** Whether these are the names without a configured prefix. */
  readonly isOther: boolean;
  /** Since when each has been in its queue; the longest first. */
  readonly waiting: Map<Waiter, number>;
  readonly requests: Readonly<Record<"granted" | "held", Tally>>;
  readonly queued: Readonly<Record<"granted" | "refused", Distribution>>;
}

/** Leases that are counted at a time, some 16 MB; further ones are not counted. */
const HELD_MAX = 100_000;
