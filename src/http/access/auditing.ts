import type { IncomingMessage } from "node:http";
import type { Context } from "hono";
import type { Audit } from "../../access/audit.js";
import type { ErrorCode } from "../../errors.js";
import type { Env } from "../context.js";
import { traceparentOf } from "../requests/traceparent.js";
import { headerOf, incomingOf } from "../server/arrivals.js";
import type { ClientOf } from "../server/client-address.js";
import { type Act, type Done, termsOf } from "./acts.js";
import type { Permitted } from "./authorization.js";

/** Tells the audit what requests have changed, and which ones were denied. */
export class Auditing {
  constructor(
    private readonly audit: Audit | undefined,
    private readonly clientOf: ClientOf,
  ) {}

  /** A request has succeeded. */
  done(c: Context<Env>, act: Act, request: Done, answer: Done["answer"]): void {
    const { audit } = this;
    if (!audit) return;
    const done = { ...request, answer };
    const { outcome, token, details } = termsOf(act);
    const told = outcome(done);
    if (told === null) return;
    audit.record({
      ...this.#of(c),
      ...details?.(done),
      outcome: told,
      token: token && (answer?.[token] as number),
    });
  }

  /** A request has failed: told if it was denied, or if it may have changed something all the same. */
  failed(c: Context<Env>, code: ErrorCode): void {
    const { audit } = this;
    if (!audit) return;
    if (DENIALS.has(code)) audit.recordDenial({ ...this.#of(c), outcome: code });
    else if (IN_DOUBT.has(code) && c.get("permitted")?.act) audit.record({ ...this.#of(c), outcome: code });
  }

  /** A request was turned away before it was known what it is about. */
  turnedAway(incoming: IncomingMessage, code: ErrorCode, requestId: string): void {
    if (!this.audit || !DENIALS.has(code)) return;
    this.audit.recordDenial({
      what: UNKNOWN,
      names: NONE,
      outcome: code,
      requestId,
      address: this.clientOf(incoming),
      traceparent: traceparentOf(incoming.headers.traceparent as string | undefined),
    });
  }

  #of(c: Context<Env>) {
    const permitted = c.get("permitted");
    return {
      keyId: c.get("principal")?.id,
      namespace: permitted?.namespace,
      what: permitted ? whatOf(permitted) : UNKNOWN,
      names: permitted?.names ?? NONE,
      requestId: c.get("requestId"),
      address: this.clientOf(incomingOf(c)),
      traceparent: traceparentOf(headerOf(c, "traceparent")),
    };
  }
}

/** `locks.acquire`; `locks.read` for what changes nothing. */
function whatOf({ kind, action, act }: Permitted): string {
  return `${kind === "*" ? "deployment" : kind}.${act ?? action}`;
}

const DENIALS: ReadonlySet<ErrorCode> = new Set([
  "unauthenticated",
  "forbidden",
  "rate_limited",
  "quota_exceeded",
]);
/** After these nobody knows whether something was changed. */
const IN_DOUBT: ReadonlySet<ErrorCode> = new Set(["no_quorum", "outcome_unknown", "internal"]);
const UNKNOWN = "request";
const NONE: readonly string[] = Object.freeze([]);
