import type { Registry } from "prom-client";
import { counter, made } from "./metric-table.js";

const COUNTED = {
  quorate_member_reports_total: counter(
    ["by", "suspect"],
    "Reports that a member cannot be reached, by peers and probes, and whether the member was suspect then",
  ),
  quorate_probes_total: counter(
    ["kind", "outcome"],
    "Probes of members, by kind and outcome: ok, failed, timeout, forbidden (by QUORATE_PROBE_ALLOW), late (this instance was paused)",
  ),
  quorate_hook_attempts_total: counter(
    ["outcome"],
    "Attempts to tell a hook of an event, by outcome: delivered, refused (by its status), failed, timeout, forbidden (by QUORATE_HOOK_ALLOW)",
  ),
  quorate_participant_calls_total: counter(
    ["step", "outcome"],
    "Calls of participants of transactions, by step (prepare, commit, abort) and outcome: done, refused (by its status, or no vote), failed, timeout, forbidden (by QUORATE_CALLBACK_ALLOW)",
  ),
  quorate_guards_total: counter(
    [],
    "Times that so much of a service would have expired together that its members were kept for a while",
  ),
};

/** Metrics of failures of members, as others see them. */
export class MemberMetrics {
  readonly #counted;

  constructor(registry: Registry) {
    this.#counted = made(COUNTED, registry);
  }

  reported(by: "peer" | "probe", suspect: boolean): void {
    this.#counted.quorate_member_reports_total.inc({ by, suspect: String(suspect) });
  }

  probed(kind: string, outcome: string): void {
    this.#counted.quorate_probes_total.inc({ kind, outcome });
  }

  hookAttempted(outcome: string): void {
    this.#counted.quorate_hook_attempts_total.inc({ outcome });
  }

  participantCalled(step: string, outcome: string): void {
    this.#counted.quorate_participant_calls_total.inc({ step, outcome });
  }

  guarded(): void {
    this.#counted.quorate_guards_total.inc();
  }
}
