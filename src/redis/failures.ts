import { RedisReplyError } from "./connection.js";
import { Overload } from "./wire.js";

/** Why a primary gave no answer to a call, and what that means for the call. */
export class PrimaryFailure extends Error {
  override readonly name = "PrimaryFailure";
  constructor(
    /**
     * `not_sent`: it did not run. `stale_epoch`: it did not run either, since the primary has another configuration.
     * `unknown`: it may have run, or may still run. `refused`: Redis replied with an error.
     */
    readonly kind: "not_sent" | "stale_epoch" | "unknown" | "refused",
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What a failed command shows about the server. */
export type Fault =
  /** It holds another configuration than the caller. */
  | { readonly kind: "stale_epoch" }
  /** It takes no writes now. `refusal`: why, in Redis' words. */
  | { readonly kind: "refuses_writes"; readonly refusal: string }
  /** It cannot serve any command now. */
  | { readonly kind: "unavailable" }
  /** It refused this command; the next may succeed. */
  | { readonly kind: "refused" }
  /** It answers, but not in time. */
  | { readonly kind: "overloaded" }
  /** It was silent, or the connection was lost. */
  | { readonly kind: "silent" };

export function faultOf(error: unknown): Fault {
  if (error instanceof Overload) return { kind: "overloaded" };
  if (!(error instanceof RedisReplyError)) return { kind: "silent" };
  const { message } = error;
  if (message.startsWith("FENCED")) return { kind: "stale_epoch" };
  const refusal = refusalIn(message);
  if (refusal !== null) return { kind: "refuses_writes", refusal };
  return { kind: UNAVAILABLE.test(message) ? "unavailable" : "refused" };
}

/** What an error of a command that was sent means for the call. */
export function failureOf(error: unknown): PrimaryFailure {
  const { kind } = faultOf(error);
  const unknown = kind === "silent" || kind === "overloaded";
  const means = kind === "stale_epoch" ? kind : unknown ? "unknown" : "refused";
  return new PrimaryFailure(means, reasonOf(error), { cause: error });
}

/** Why a server refuses writes, if its reply says that it does. Redis 6.2 puts the name of the script in front. */
function refusalIn(message: string): string | null {
  const found = /(?:^|\s-)((?:OOM|MISCONF|NOREPLICAS) [^\n]*)/.exec(message);
  return (
    found?.[1]
      ?.replace(/ script: .*$/, "")
      .trim()
      .replace(/\.$/, "")
      .slice(0, REFUSAL_LENGTH_MAX) ?? null
  );
}

/** Redis' longest has 315 characters. */
const REFUSAL_LENGTH_MAX = 400;
const UNAVAILABLE = /^(LOADING|READONLY|MASTERDOWN|NOAUTH|NOPERM|CLUSTERDOWN|BUSY)/;
