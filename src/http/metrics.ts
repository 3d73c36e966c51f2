import { type Counter, collectDefaultMetrics, Registry } from "prom-client";
import { type Limiter, PRIORITIES } from "../algorithms/limiter.js";
import type { Clock } from "../clock.js";
import type { AntiEntropyObserver } from "../primitives/anti-entropy/anti-entropy.js";
import type { Primaries } from "../quorum/primaries.js";
import type { PrimaryFailure } from "../redis/failures.js";
import { PRIMARY_STATES, type PrimaryStatus } from "../redis/lifecycle.js";
import type { Primary, PrimaryObserver } from "../redis/primary.js";
import type { MetricsPrefix } from "../setting-values.js";
import { Contention } from "./contention.js";
import { MemberMetrics } from "./member-metrics.js";
import { counter, gauge, histogram, made, seriesCounter, seriesHistogram } from "./metric-table.js";
import { keptIn, RouteMetrics } from "./route-metrics.js";
import type { Distribution, Tally } from "./series.js";
import type { AdmissionObserver } from "./server/admission.js";

/** Metrics of what happens. Labels are routes and addresses, never names, keys or leaseIds. */
const COUNTED = {
  quorate_http_requests_total: seriesCounter(
    ["method", "route", "status", "code"],
    "Requests, by method, route, status and problem code",
  ),
  quorate_http_request_duration_seconds: seriesHistogram(
    ["method", "route"],
    "Time from a request to its answer",
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  ),
  quorate_primary_up: gauge(["primary"], "1 while the primary answers this instance", "min"),
  quorate_primary_state: gauge(
    ["primary", "state"],
    "1 for the current state of the primary, 0 for the others",
    "max",
  ),
  quorate_primary_call_duration_seconds: seriesHistogram(
    ["primary"],
    "Time that one script call on one primary takes",
    [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1],
  ),
  quorate_primary_errors_total: counter(
    ["primary", "kind"],
    "Failed calls, by outcome: not_sent, stale_epoch, unknown (it may have run), refused",
  ),
  quorate_members_expired_total: counter(["primary"], "Members that expired, found by this instance"),
  quorate_primary_dropped_total: counter(
    ["primary"],
    "Releases and clean-ups dropped because too many were pending for a primary that was down",
  ),
  quorate_anti_entropy_passes_total: counter(
    ["outcome"],
    "Comparisons of all primaries by this instance, complete or interrupted; instances take turns",
  ),
  quorate_anti_entropy_differences_total: counter(
    ["primary", "kind", "difference"],
    "Copies of a primary that differed twice in a row: missing, stale, diverged, unconfirmed",
  ),
  quorate_anti_entropy_repairs_total: counter(["primary", "kind"], "Copies of a primary that were repaired"),
  quorate_lock_grants_total: seriesCounter(
    ["rounds"],
    "Leases granted, by round trips: 1, or more if the counters of the primaries differed",
  ),
  quorate_admission_shed_total: counter(
    ["priority"],
    "Requests refused as overloaded before they were begun, by priority; no other metric counts them",
  ),
  quorate_admission_abandoned_total: counter([], "Requests whose client disconnected before their turn came"),
  quorate_admission_queue_seconds: histogram(
    ["priority"],
    "Time in the queue of requests that were admitted, but not at once",
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25],
  ),
  quorate_unauthenticated_total: counter(
    [],
    "Requests refused since they had no valid key, token or certificate; no other metric counts them",
  ),
  quorate_connections_refused_total: counter([], "Connections closed: QUORATE_CONNECTIONS_MAX were open"),
};

/** Metrics of how things are when Prometheus scrapes. */
const SCRAPED = {
  quorate_waiting_requests: gauge([], "Requests that wait in queues at this instance"),
  quorate_configuration_version: gauge(
    [],
    "Version of the configuration that this instance uses; 0 before the first",
    "max",
  ),
  quorate_primary_quarantine_seconds: gauge(
    ["primary"],
    "How long the primary will not grant new leases",
    "max",
  ),
  quorate_probed_members: gauge([], "Members that this instance probes, alone or in turn with others"),
  quorate_hooks: gauge([], "Hooks that this instance tells of events"),
  quorate_called_transactions: gauge([], "Transactions whose participants this instance calls"),
  quorate_log_dropped_total: counter([], "Log lines dropped because their reader was too slow or has gone"),
  quorate_audit_dropped_total: counter(
    [],
    "Lines that are missing in the audit: what takes them was slow or has failed",
  ),
  quorate_audit_denials_omitted_total: counter(
    [],
    "Denied requests that got no line in the audit, since there were more than 100 a second",
  ),
  quorate_admission_in_flight: gauge([], "Requests being worked on, without those that wait for a lease"),
  quorate_admission_limit: gauge(
    [],
    "How many requests may be in flight, as derived from the delay that they cause",
  ),
  quorate_admission_queued: gauge(["priority"], "Requests queued for admission, by priority"),
};

/** All metrics as plain data, to send to another process. */
export type MetricsSnapshot = Awaited<ReturnType<Registry["getMetricsAsJSON"]>>;

/** Where the metrics of `SCRAPED` come from. */
interface Sources {
  readonly primaries: Primaries;
  readonly waiting: { readonly size: number };
  readonly limiter: Limiter;
  readonly probing: { readonly members: number };
  readonly hookDeliveries: { readonly hooks: number };
  readonly callbackDeliveries: { readonly transactions: number };
  readonly logDropped?: (() => number) | undefined;
  readonly audit?: { readonly dropped: number; readonly omitted: number } | undefined;
}

/** The metrics for Prometheus. */
export class Metrics implements PrimaryObserver, AdmissionObserver, AntiEntropyObserver {
  readonly #registry = new Registry();
  readonly #counted = made(COUNTED, this.#registry);
  readonly #callsOf = new Map<Primary, Distribution>();
  readonly #grants = new Map<"1" | "more", Tally>();
  #scrape = (): void => {};

  /** The type of the text, as Prometheus negotiates it. */
  readonly contentType = this.#registry.contentType;
  /** Who waits for leases, and how many are held, by names. */
  readonly contention: Contention;
  /** What is said of members, and done for them. */
  readonly members: MemberMetrics;

  constructor(prefixes: readonly MetricsPrefix[], clock: Pick<Clock, "monotonicMs">) {
    collectDefaultMetrics({ register: this.#registry });
    this.contention = new Contention(prefixes, clock, this.#registry);
    this.members = new MemberMetrics(this.#registry);
  }

  /** From now on with the state of the primaries, and with what each scrape reads. */
  observe({
    primaries,
    waiting,
    limiter,
    probing,
    hookDeliveries,
    callbackDeliveries,
    logDropped,
    audit,
  }: Sources): void {
    // A primary that never comes up reports no change, and must be visible all the same.
    for (const primary of primaries.all) this.changed(primary, primary.status);
    for (const priority of PRIORITIES)
      if (priority !== "resumed") this.#counted.quorate_admission_shed_total.inc({ priority }, 0);
    const scraped = made(SCRAPED, this.#registry);
    this.#scrape = () => {
      this.contention.scrape();
      scraped.quorate_waiting_requests.set(waiting.size);
      scraped.quorate_configuration_version.set(primaries.version ?? 0);
      for (const { address, status } of primaries.all)
        scraped.quorate_primary_quarantine_seconds.set({ primary: address }, status.quarantineMs / 1000);
      scraped.quorate_probed_members.set(probing.members);
      scraped.quorate_hooks.set(hookDeliveries.hooks);
      scraped.quorate_called_transactions.set(callbackDeliveries.transactions);
      setTotal(scraped.quorate_log_dropped_total, logDropped?.());
      setTotal(scraped.quorate_audit_dropped_total, audit?.dropped);
      setTotal(scraped.quorate_audit_denials_omitted_total, audit?.omitted);
      scraped.quorate_admission_in_flight.set(limiter.inFlight);
      scraped.quorate_admission_limit.set(limiter.limit);
      for (const priority of PRIORITIES)
        scraped.quorate_admission_queued.set({ priority }, limiter.queued(priority));
    };
  }

  /** All metrics in Prometheus' text format. */
  text(): Promise<string> {
    this.#scrape();
    return this.#registry.metrics();
  }

  snapshot(): Promise<MetricsSnapshot> {
    this.#scrape();
    return this.#registry.getMetricsAsJSON();
  }

  shed(priority: string): void {
    this.#counted.quorate_admission_shed_total.inc({ priority });
  }

  queued(priority: string, ms: number): void {
    this.#counted.quorate_admission_queue_seconds.observe({ priority }, ms / 1000);
  }

  abandoned(): void {
    this.#counted.quorate_admission_abandoned_total.inc();
  }

  unauthenticated(): void {
    this.#counted.quorate_unauthenticated_total.inc();
  }

  connectionRefused(): void {
    this.#counted.quorate_connections_refused_total.inc();
  }

  /** The metrics of the requests of one route. */
  route(route: string): RouteMetrics {
    const { quorate_http_requests_total: requests, quorate_http_request_duration_seconds: durations } =
      this.#counted;
    return new RouteMetrics(
      (method) => durations.series({ method, route }),
      (method, status, code) => requests.series({ method, route, status, code }),
    );
  }

  called(primary: Primary, _script: string, ms: number, outcome: "ok" | PrimaryFailure["kind"]): void {
    if (outcome === "ok") {
      const calls = this.#counted.quorate_primary_call_duration_seconds;
      keptIn(this.#callsOf, primary, () => calls.series({ primary: primary.address })).observe(ms / 1000);
    } else this.#counted.quorate_primary_errors_total.inc({ primary: primary.address, kind: outcome });
  }

  changed(primary: Primary, { state }: PrimaryStatus): void {
    this.#counted.quorate_primary_up.set({ primary: primary.address }, primary.up ? 1 : 0);
    for (const one of PRIMARY_STATES)
      this.#counted.quorate_primary_state.set(
        { primary: primary.address, state: one },
        one === state ? 1 : 0,
      );
  }

  granted(rounds: number): void {
    const grants = this.#counted.quorate_lock_grants_total;
    const kind = rounds === 1 ? "1" : "more";
    keptIn(this.#grants, kind, () => grants.series({ rounds: kind })).count++;
  }

  marked(primary: Primary, members: number): void {
    this.#counted.quorate_members_expired_total.inc({ primary: primary.address }, members);
  }

  differs({ address }: Primary, kind: string, difference: string): void {
    this.#counted.quorate_anti_entropy_differences_total.inc({ primary: address, kind, difference });
  }

  repaired({ address }: Primary, kind: string): void {
    this.#counted.quorate_anti_entropy_repairs_total.inc({ primary: address, kind });
  }

  compared(outcome: string): void {
    this.#counted.quorate_anti_entropy_passes_total.inc({ outcome });
  }

  dropped(primary: Primary): void {
    this.#counted.quorate_primary_dropped_total.inc({ primary: primary.address });
  }
}

/** For what is counted elsewhere. */
function setTotal(metric: Counter, total = 0): void {
  metric.reset();
  metric.inc(total);
}
