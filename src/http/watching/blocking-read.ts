import type { Context } from "hono";
import type { InFlight } from "../../primitives/leases/lease-terms.js";
import type { Versioned } from "../../primitives/reads/watch.js";
import { permittedOf } from "../access/authorization.js";
import type { Dependencies, Env } from "../context.js";
import { Reply } from "../responses/reply.js";
import { inFlightOf } from "../server/admission.js";

/** A state that may be waited for. */
export interface Watched<T extends Versioned> {
  /** The state as it is now. */
  read(): Promise<T>;
  /** The state once its version is not `version`, or when `deadlineMs` has passed. */
  change(version: string | null, deadlineMs: number, signal: AbortSignal, inFlight?: InFlight): Promise<T>;
  toJson(state: T): string;
}

/**
 * Answers with the state and its version as ETag; with 304 where the caller has that version already. With `waitMs` that
 * 304 comes only after this time, and the state as soon as it has changed.
 */
export async function blockingRead<T extends Versioned>(
  c: Context<Env>,
  { clock, stopping, revocations }: Pick<Dependencies, "clock" | "stopping" | "revocations">,
  { ifNoneMatch, waitMs = 0 }: { ifNoneMatch: string | undefined; waitMs: number | undefined },
  { read, change, toJson }: Watched<T>,
): Promise<Reply> {
  const isKnown = toTags(ifNoneMatch);
  const deadlineMs = clock.monotonicMs() + waitMs;
  let state = await read();
  if (waitMs > 0 && isKnown(state.version)) {
    const { version } = state;
    state = await revocations.during(permittedOf(c), c.req.raw.signal, (allowed) =>
      stopping.during(allowed, (signal) => change(version, deadlineMs, signal, inFlightOf(c))),
    );
    if (isKnown(state.version)) stopping.assertNot();
  }
  const etag = `"${state.version}"`;
  return isKnown(state.version)
    ? new Reply(304, null, { etag })
    : new Reply(200, toJson(state), { "content-type": "application/json", etag });
}

/** Whether an If-None-Match has this version. Compares weakly, as RFC 9110 wants: a proxy may have made the tag weak. */
function toTags(header: string | undefined): (version: string) => boolean {
  if (header?.trim() === "*") return () => true;
  const tags = new Set([...(header ?? "").matchAll(/"([^"]*)"/g)].map(([, tag]) => tag));
  return (version) => tags.has(version);
}
