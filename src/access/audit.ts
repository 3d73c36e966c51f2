import type { Logger } from "pino";
import { type Clock, wallDate } from "../clock.js";

/** One thing that was done or refused. */
export interface AuditEvent {
  /** Of the key that asked: `Principal.id`. Undefined: nobody was authenticated. */
  readonly keyId?: string | undefined;
  readonly namespace: string;
  /** `locks.acquire`, `members.leave`. */
  readonly what: string;
  readonly names: readonly string[];
  /** `granted`, `released`, or the code of a failure: `forbidden`. */
  readonly outcome: string;
  readonly token?: number | undefined;
  readonly requestId: string;
  /** Of the client. */
  readonly address?: string | undefined;
  /** `traceparent` of the request. */
  readonly trace?: string | undefined;
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
    if (this.output.write(lineOf(event, wallDate(this.clock)))) this.#recorded++;
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
function lineOf(event: AuditEvent, time: Date): string {
  const { keyId, namespace, what, names, outcome, token, requestId, address, trace } = event;
  const fields = { time, keyId, namespace, what, names, outcome, token, requestId, address, trace };
  return `${JSON.stringify(fields)}\n`;
}

const TELL_EVERY_MS = 10_000;
