import type { Logger } from "pino";
import { type Audit, configurationAdopted } from "./access/audit.js";
import type { HookObserver } from "./delivering/hook-delivery.js";
import type { CallObserver } from "./delivering/transaction-calls.js";
import type { Metrics } from "./http/metrics.js";
import type { Admission } from "./http/server/admission.js";
import type { AntiEntropyObserver } from "./primitives/anti-entropy/anti-entropy.js";
import type { HookName } from "./primitives/hooks/hook.js";
import type { LeaseObserver } from "./primitives/leases/lease-observer.js";
import type { ExpiryObserver } from "./primitives/members/expiry.js";
import type { GuardObserver } from "./primitives/members/guards.js";
import type { SuspicionObserver } from "./primitives/members/suspicions.js";
import type { ProbingObserver } from "./probing/probing.js";
import type { PrimaryObserver } from "./redis/primary.js";

/** Receives events about the primaries and leases, and how many round trips each grant took. */
export interface CoreObserver extends PrimaryObserver {
  readonly leases?: LeaseObserver;
  readonly antiEntropy?: AntiEntropyObserver;
  /** This instance uses another configuration of the primaries from now on. */
  configured?(version: number): void;
  readonly members?: MembersObserver;
  readonly hooks?: HookObserver;
  readonly calls?: CallObserver;
  granted?(rounds: number): void;
}

type MembersObserver = ExpiryObserver & GuardObserver & SuspicionObserver & ProbingObserver;

/** What becomes of these events in the metrics, the log and the audit. */
export function coreObserver(
  metrics: Metrics,
  admission: Admission,
  { log, audit }: { readonly log: Logger; readonly audit?: Audit | undefined },
): CoreObserver {
  return {
    leases: metrics.contention,
    antiEntropy: metrics,
    members: membersObserver(metrics, log),
    hooks: hookObserver(metrics, log),
    calls: { called: (step, outcome) => metrics.members.participantCalled(step, outcome) },
    configured: (version) => audit?.record(configurationAdopted(version)),
    granted: (rounds) => metrics.granted(rounds),
    called: (primary, script, ms, outcome) => {
      metrics.called(primary, script, ms, outcome);
      if (outcome === "ok" || outcome === "unknown") admission.called(primary.address, ms);
    },
    dropped: (primary) => metrics.dropped(primary),
    changed: (primary, status) => {
      const { state, reason } = status;
      metrics.changed(primary, status);
      const line = { primary: primary.address, state, ...(reason && { reason }) };
      if (state === "refusing") log.warn(line, "primary refuses writes");
      else if (primary.up) log.info(line, "primary participates");
      else log.warn(line, "primary does not participate");
    },
  };
}

function membersObserver(metrics: Metrics, log: Logger): MembersObserver {
  return {
    marked: (primary, members) => metrics.marked(primary, members),
    reported: (by, suspect) => metrics.members.reported(by, suspect),
    probed: (kind, outcome) => metrics.members.probed(kind, outcome),
    guarded: (service, forMs) => {
      metrics.members.guarded();
      log.warn({ service, forMs }, "so much of a service would expire together that its members are kept");
    },
  };
}

function hookObserver(metrics: Metrics, log: Logger): HookObserver {
  // Never the URL: it may be a secret.
  const named = ({ service, id }: HookName) => ({ service, hook: id });
  return {
    attempted: (outcome) => metrics.members.hookAttempted(outcome),
    failing: (hook, detail, failures) =>
      log.warn({ ...named(hook), detail, failures }, "a hook cannot be told, and is tried again"),
    recovered: (hook) => log.info(named(hook), "a hook can be told again"),
  };
}
