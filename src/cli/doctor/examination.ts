import { attempt } from "../../client/attempt.js";
import { QuorateError } from "../../client/errors.js";
import type { Deployment } from "../../client/transport.js";
import { systemWorld } from "../../client/world.js";
import type { Primaries, Ready } from "../types.js";

/** What one instance says. */
export interface Examined {
  readonly url: string;
  /** Null: it was not told. */
  readonly primaries: Primaries | null;
  readonly ready: Ready | null;
  /** Why one of the two is missing. */
  readonly failure: QuorateError | null;
}

/** Asks each instance once, all at the same time. */
export function examine({ urls, key }: Deployment): Promise<Examined[]> {
  return Promise.all(urls.map((url) => examineOne(url, key)));
}

async function examineOne(url: string, key: string | undefined): Promise<Examined> {
  const [primaries, ready] = await Promise.all([
    get<Primaries>(url, "/v1/primaries", key),
    // It asks nobody for a key, and refuses no one.
    get<Ready>(url, "/readyz", undefined),
  ]);
  return {
    url,
    primaries: primaries.answer,
    ready: ready.answer,
    failure: primaries.failure ?? ready.failure,
  };
}

async function get<T>(url: string, path: string, key: string | undefined) {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  try {
    const whole = url.replace(/\/$/, "") + path;
    const { body } = await attempt(systemWorld, whole, { method: "GET", headers }, PATIENCE_MS);
    return { answer: body as T, failure: null };
  } catch (error) {
    if (!(error instanceof QuorateError)) throw error;
    return { answer: null, failure: error };
  }
}

const PATIENCE_MS = 5_000;
