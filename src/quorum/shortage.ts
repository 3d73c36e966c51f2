import { CoordinationError } from "../errors.js";

/** What is known of the primaries of a deployment, in numbers. */
export interface Attendance {
  readonly primaries: number;
  readonly majority: number;
  /** How many take part. */
  readonly up: number;
  /** Redis' reasons of those among them that refuse writes, one per primary. */
  readonly refusals: readonly string[];
}

/** Why there is no quorum, in a sentence; null where there is one. */
export function shortageOf({ primaries, majority, up, refusals }: Attendance): string | null {
  if (up - refusals.length >= majority) return null;
  if (refusals.length === 0) return `${up} of ${primaries} primaries take part now; ${majority} are needed.`;
  const away = primaries - up;
  const others = away > 0 ? `, and ${away} ${away === 1 ? "takes" : "take"} no part` : "";
  const refuse = refusals.length === 1 ? "refuses" : "refuse";
  const why = [...new Set(refusals)].join("; ");
  return `${refusals.length} of ${primaries} primaries ${refuse} writes${others}; ${majority} must accept them. The reason: ${why}.`;
}

/** `seen`: what is known of the primaries, in a sentence. */
export function noQuorum(seen: string): CoordinationError {
  return new CoordinationError(
    "no_quorum",
    `${seen} Try again later: GET /v1/primaries tells how each of them is.`,
    { help: { retryAfterMs: 1000 } },
  );
}
