import type { Call } from "../scripts/scripts.js";
import { PrimaryFailure } from "./failures.js";

/** The answer of one primary to a call; a failure is an answer too. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: PrimaryFailure };

/** The answer that a reply to the call is. */
export function parsed<T>(call: Call<T>, reply: unknown): Answer<T> {
  try {
    return { ok: true, value: call.parse(reply) };
  } catch (error) {
    return failed(error);
  }
}

/** The answer that an error is. */
export function failed(error: unknown): { readonly ok: false; readonly failure: PrimaryFailure } {
  if (error instanceof PrimaryFailure) return { ok: false, failure: error };
  // A reply that cannot be parsed comes from a mistake of ours or from a foreign server: the call may have run.
  return { ok: false, failure: new PrimaryFailure("unknown", String(error), { cause: error }) };
}
