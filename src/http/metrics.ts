import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { type Limiter, PRIORITIES } from "../algorithms/limiter.js";
import type { Primaries } from "../quorum/primaries.js";
import {
  PRIMARY_STATES,
  type Primary,
  type PrimaryFailure,
  type PrimaryObserver,
  type PrimaryStatus,
} from "../redis/primary.js";
import type { AdmissionObserver } from "./server/admission.js";

/** What Prometheus reads. Labels are routes and addresses, never names, keys or leaseIds. */
export class Metrics implements PrimaryObserver, AdmissionObserver {
  readonly registry = new Registry();
  readonly #requests = new Counter({
    name: "quorate_http_requests_total",
    help: "Requests by method, route, status and problem code",
    labelNames: ["method", "route", "status", "code"],
    registers: [this.registry],
  });
  readonly #seconds = new Histogram({
    name: "quorate_http_request_duration_seconds",
    help: "Time from a request to its answer",
    labelNames: ["method", "route"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [this.registry],
  });
  readonly #up = new Gauge({
    name: "quorate_primary_up",
    help: "1 while the primary answers this instance",
    labelNames: ["primary"],
    registers: [this.registry],
  });
  readonly #state = new Gauge({
    name: "quorate_primary_state",
    help: "1 for the state that the primary is in, 0 for the others",
    labelNames: ["primary", "state"],
    registers: [this.registry],
  });
  readonly #callSeconds = new Histogram({
    name: "quorate_primary_call_duration_seconds",
    help: "Time of one script on one primary",
    labelNames: ["primary"],
    buckets: [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1],
    registers: [this.registry],
  });
  readonly #errors = new Counter({
    name: "quorate_primary_errors_total",
    help: "Calls without an answer, by what is known of them: not_sent, stale_epoch, unknown (it may have run), refused",
    labelNames: ["primary", "kind"],
    registers: [this.registry],
  });
  readonly #dropped = new Counter({
    name: "quorate_primary_dropped_total",
    help: "Releases and clean-ups given up since too many were owed to a primary that was away",
    labelNames: ["primary"],
    registers: [this.registry],
  });
  readonly #grants = new Counter({
    name: "quorate_lock_grants_total",
    help: "Locks granted, by the round trips it took: 1, or more where the primaries' counters differed",
    labelNames: ["rounds"],
    registers: [this.registry],
  });

  readonly #shed = new Counter({
    name: "quorate_admission_shed_total",
    help: "Requests refused as overloaded before they were begun, by priority; they are in no other metric",
    labelNames: ["priority"],
    registers: [this.registry],
  });
  readonly #abandoned = new Counter({
    name: "quorate_admission_abandoned_total",
    help: "Requests whose client went before they were begun",
    registers: [this.registry],
  });
  readonly #queueSeconds = new Histogram({
    name: "quorate_admission_queue_seconds",
    help: "Time in the queue of requests that were let in, but not at once",
    labelNames: ["priority"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25],
    registers: [this.registry],
  });
  readonly #connectionsRefused = new Counter({
    name: "quorate_connections_refused_total",
    help: "Connections closed at once since there were QUORATE_CONNECTIONS_MAX",
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** What is known of the primaries from the start, and gauges that are read when Prometheus asks. */
  observe(primaries: Primaries, waiting: { readonly size: number }): void {
    // One that never comes up changes nothing, and is to be seen all the same.
    for (const primary of primaries.all) this.changed(primary, primary.status);
    new Gauge({
      name: "quorate_waiting_requests",
      help: "Requests that stand in line at this instance",
      registers: [this.registry],
      collect() {
        this.set(waiting.size);
      },
    });
    new Gauge({
      name: "quorate_configuration_version",
      help: "Version of the configuration that this instance goes by; 0 before the first",
      registers: [this.registry],
      collect() {
        this.set(primaries.version ?? 0);
      },
    });
    new Gauge({
      name: "quorate_primary_quarantine_seconds",
      help: "How long the primary will grant no new lease",
      labelNames: ["primary"],
      registers: [this.registry],
      collect() {
        for (const { address, status } of primaries.all) {
          this.set({ primary: address }, status.quarantineMs / 1000);
        }
      },
    });
  }

  observeLog(dropped = () => 0): void {
    new Counter({
      name: "quorate_log_dropped_total",
      help: "Lines of the log that its reader did not get, since it was too slow or has gone",
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(dropped());
      },
    });
  }

  /** What is in flight and what waits to be, as they are when Prometheus asks. */
  observeAdmission(limiter: Limiter): void {
    new Gauge({
      name: "quorate_admission_in_flight",
      help: "Requests that are worked on; those that wait for a lease are not",
      registers: [this.registry],
      collect() {
        this.set(limiter.inFlight);
      },
    });
    new Gauge({
      name: "quorate_admission_limit",
      help: "How many may be in flight, as found from the delay that they cause",
      registers: [this.registry],
      collect() {
        this.set(limiter.limit);
      },
    });
    new Gauge({
      name: "quorate_admission_queued",
      help: "Requests that wait to be in flight, by priority",
      labelNames: ["priority"],
      registers: [this.registry],
      collect() {
        for (const priority of PRIORITIES) this.set({ priority }, limiter.queued(priority));
      },
    });
    for (const priority of PRIORITIES) if (priority !== "resumed") this.#shed.inc({ priority }, 0);
  }

  shed(priority: string): void {
    this.#shed.inc({ priority });
  }

  queued(priority: string, ms: number): void {
    this.#queueSeconds.observe({ priority }, ms / 1000);
  }

  abandoned(): void {
    this.#abandoned.inc();
  }

  connectionRefused(): void {
    this.#connectionsRefused.inc();
  }

  request(method: string, route: string, status: number, code: string, ms: number): void {
    this.#requests.inc({ method, route, status, code });
    this.#seconds.observe({ method, route }, ms / 1000);
  }

  called(primary: Primary, _script: string, ms: number, outcome: "ok" | PrimaryFailure["kind"]): void {
    if (outcome === "ok") this.#callSeconds.observe({ primary: primary.address }, ms / 1000);
    else this.#errors.inc({ primary: primary.address, kind: outcome });
  }

  changed(primary: Primary, { state }: PrimaryStatus): void {
    this.#up.set({ primary: primary.address }, primary.up ? 1 : 0);
    for (const one of PRIMARY_STATES) {
      this.#state.set({ primary: primary.address, state: one }, one === state ? 1 : 0);
    }
  }

  granted(rounds: number): void {
    this.#grants.inc({ rounds: rounds === 1 ? "1" : "more" });
  }

  dropped(primary: Primary): void {
    this.#dropped.inc({ primary: primary.address });
  }
}
