import { CoordinationError } from "../../errors.js";

/** Failures of changes of registers. None names the key. */

/** `current`: the version that the register has; null: there is none. */
export function registerMismatch(
  current: { readonly version: number; readonly etag: string } | null,
): CoordinationError {
  const has = current ? `has version ${current.version} now` : "does not exist now";
  return new CoordinationError(
    "version_mismatch",
    `The register ${has}. Nothing was changed: read it again, and decide anew.`,
    { help: current ? { version: current.version, etag: `"${current.etag}"` } : {} },
  );
}

/** `index`: of the first check that does not hold. `current`: what the register has; null: there is none. */
export function checkMismatch(
  index: number,
  current: { readonly version: number; readonly etag: string } | null,
): CoordinationError {
  const has = current ? `has version ${current.version} now` : "does not exist now";
  const field = `checks.${index}.etag`;
  return new CoordinationError(
    "version_mismatch",
    `${field}: the register ${has}. Nothing was changed: read it again, and decide anew.`,
    { help: { field, ...(current && { version: current.version, etag: `"${current.etag}"` }) } },
  );
}

export function termOver(index: number): CoordinationError {
  const field = `checks.${index}.term`;
  return new CoordinationError(
    "version_mismatch",
    `${field}: nobody leads in this term any more. Nothing was changed: stop what only its leader may do.`,
    { help: { field } },
  );
}

export function idempotencyMismatch(): CoordinationError {
  return new CoordinationError(
    "idempotency_mismatch",
    "This Idempotency-Key was used for another change of the same register. Use a new key for each change.",
  );
}

export function tooManyKeyed(keyedMax: number): CoordinationError {
  return new CoordinationError(
    "too_many_keyed",
    `A register remembers ${keyedMax} changes with an Idempotency-Key for 10 minutes, and has as many. Change it later, or without a key.`,
    { help: { retryAfterMs: 10_000 } },
  );
}

/** No change was proposed. */
export function contended(retryAfterMs: number): CoordinationError {
  return new CoordinationError(
    "contended",
    "Others change this register at the same time, and came first again and again. Nothing was changed. Try again after retryAfterMs.",
    { help: { retryAfterMs } },
  );
}

/** A transaction of several registers. */
export function notCompleted(): CoordinationError {
  return new CoordinationError(
    "contended",
    "The transaction could not be completed in time: others change these registers, or primaries do not answer. Nothing was changed. Try again after retryAfterMs.",
    { help: { retryAfterMs: 1_000 } },
  );
}

export function outcomeUnknown(): CoordinationError {
  return new CoordinationError(
    "outcome_unknown",
    "The change may have been made, or may still be: the primaries did not answer in time, or others made more changes than are remembered. Read the register. With an Idempotency-Key the same request can be sent again.",
  );
}

export function noRegister(): CoordinationError {
  return new CoordinationError("not_found", "There is no register with this key.");
}

/** @param count that of those who wait there. */
export function barrierMismatch(count: number): CoordinationError {
  return new CoordinationError(
    "limit_mismatch",
    `Others wait at this barrier until ${count} have arrived, and all must name the same count. Another one can be named once they were released, or their arrivals have ended.`,
    { help: { limit: count } },
  );
}

export function noGeneration(): CoordinationError {
  return new CoordinationError(
    "not_found",
    "The barrier has not come to this generation, or was forgotten since, as one is 24 hours after the last arrival. Arrive without a generation.",
  );
}

export function latchMismatch(count: number): CoordinationError {
  return new CoordinationError(
    "limit_mismatch",
    `This latch counts from ${count}. Nothing was changed: delete it first, or use another name.`,
    { help: { limit: count } },
  );
}

export function noLatch(): CoordinationError {
  return new CoordinationError("not_found", "There is no latch of this name: set its count first (PUT).");
}
