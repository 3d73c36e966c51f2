import type { Logger } from "pino";
import { take } from "../algorithms/token-bucket.js";
import { type Clock, wallDate } from "../clock.js";

/** One thing that was done or refused. */
export interface AuditEvent {
  /** Of the key that asked: `Principal.id`. Undefined: nobody was authenticated. */
  readonly keyId?: string | undefined;
  /** Undefined: it is not known. */
  readonly namespace?: string | undefined;
  /** `locks.acquire`, `members.leave`. */
  readonly what: string;
  readonly names: readonly string[];
  /** `granted`, `released`, or the code of a failure: `forbidden`. */
  readonly outcome: string;
  readonly token?: number | undefined;
  /** Id of the member of the service. */
  readonly member?: string | undefined;
  /** Id of the hook of the service. */
  readonly hook?: string | undefined;
  /** The new limit of a semaphore. */
  readonly limit?: number | undefined;
  /** Why an operator broke a lease. */
  readonly reason?: string | undefined;
  /** Of the configuration of the primaries. */
  readonly version?: number | undefined;
  /** Undefined: no request was the cause. */
  readonly requestId?: string | undefined;
  /** Of the client. */
  readonly address?: string | undefined;
  /** As in the request, where it was well-formed. */
  readonly traceparent?: string | undefined;
}

/** Takes whole lines without ever blocking; says whether it took this one. */
export interface AuditOutput {
  write(line: string): boolean;
  /** To be called for lines that were taken, but cannot be written after all. */
  onLost?: (lines: number) => void;
}

/** The audit: one JSON line for each event. */
export class Audit {
  #recorded = 0;
  /** Denials without a line: since the last line of one, and since the start. */
  #omitted = 0;
  #omittedTotal = 0;
  #denialsFullAtMs = Number.NEGATIVE_INFINITY;
  #dropped = 0;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly output: AuditOutput,
    private readonly clock: Clock,
    private readonly log: Pick<Logger, "error">,
  ) {
    output.onLost = (lines) => {
      this.#recorded -= lines;
      this.#drop(lines);
    };
  }

  record(event: AuditEvent): void {
    this.#write(event);
  }

  /**
   * The same for a request that was denied. Nobody needs a right to be denied as often as they like: so that denials cannot
   * drive out other events, they get 100 lines a second. The next line says how many were omitted before it.
   */
  recordDenial(event: AuditEvent): void {
    const { allowed, fullAtMs } = take(DENIALS, this.#denialsFullAtMs, this.clock.monotonicMs());
    this.#denialsFullAtMs = fullAtMs;
    if (!allowed) {
      this.#omitted++;
      this.#omittedTotal++;
      return;
    }
    this.#write(event, this.#omitted || undefined);
    this.#omitted = 0;
  }

  #write(event: AuditEvent, omitted?: number): void {
    if (this.output.write(lineOf(event, omitted, wallDate(this.clock)))) this.#recorded++;
    else this.#drop(1);
  }

  /** Lines that are in the audit, or on their way there, since the start. */
  get recorded(): number {
    return this.#recorded;
  }

  /** Lines that are missing in the audit since the start: for an alert. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Denials that got no line since the start. */
  get omitted(): number {
    return this.#omittedTotal;
  }

  /** Told at once, and again every ten seconds for as long as it goes on. */
  #drop(lines: number): void {
    this.#dropped += lines;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#toldAtMs < TELL_EVERY_MS) return;
    this.#toldAtMs = nowMs;
    this.log.error(
      { dropped: this.#dropped },
      "lines of the audit are lost: what takes them is slow or has failed",
    );
  }
}

/** Field by field: whatever else an event has by mistake, such as the leaseId of a lease, does not get in. */
function lineOf(event: AuditEvent, omitted: number | undefined, time: Date): string {
  const { keyId, namespace, what, names, member, hook, outcome, token, limit, reason, version } = event;
  const { requestId, address, traceparent } = event;
  const change = { keyId, namespace, what, names, member, hook, outcome, token, limit, reason, version };
  return `${JSON.stringify({ time, ...change, requestId, address, traceparent, omitted })}\n`;
}

/** The file of keys has changed: its keys count from now on, or it was refused. */
export const keysReloaded = (outcome: "changed" | "refused"): AuditEvent => ({
  what: "keys.reload",
  names: [],
  outcome,
});

/** An instance uses another configuration of the primaries from now on. */
export const configurationAdopted = (version: number): AuditEvent => ({
  what: "configuration.adopt",
  names: [],
  outcome: "changed",
  version,
});

const TELL_EVERY_MS = 10_000;
const DENIALS = Object.freeze({ perSecond: 100, burst: 100 });
