import { acquire } from "./acquire.js";
import { changes, mayChange, pause } from "./changes.js";
import { QuorateError } from "./errors.js";
import type { Lease, LeaseKind } from "./lease.js";
import type { Renewal } from "./renewal.js";
import type { CallOptions, Transport } from "./transport.js";
import type { CampaignRequest, Election, Term } from "./types.js";
import { watchful } from "./watchful.js";

export interface LeadOptions<T>
  extends Omit<CampaignRequest, "leaseId" | "waitMs" | "consensus">,
    CallOptions {
  /**
   * What to do while leading. It should end when `stop` aborts: the term was lost, or `lead` is to end. Only then the next
   * candidate is let in: the term is renewed until this has settled.
   */
  readonly onElected: (term: Lease<Term>, stop: AbortSignal) => Promise<T>;
  /** Called at once when a term is lost, before `onElected` has ended. */
  readonly onLost?: ((reason: QuorateError) => void) | undefined;
}

/**
 * Campaigns, and leads each time that it is elected, until `onElected` ends by itself (then its result is the answer), or
 * the signal aborts (then the answer is undefined). Throws what `onElected` throws, unless that is how it stopped.
 */
export async function lead<T>(
  transport: Transport,
  renewal: Renewal,
  kind: LeaseKind,
  { onElected, onLost, timeoutMs, signal, ...request }: LeadOptions<T>,
): Promise<T | undefined> {
  while (!signal?.aborted) {
    const term = await campaign(transport, kind, request, { timeoutMs, signal });
    if (!term) break;
    term.keep(renewal);
    const { signal: ofTerm } = term;
    ofTerm.addEventListener("abort", () => onLost?.(ofTerm.reason as QuorateError), { once: true });
    const stop = signal ? eitherOf(ofTerm, signal) : ofTerm;
    try {
      // Lost before anything could listen.
      if (ofTerm.aborted) continue;
      const result = await onElected(term, stop);
      if (!stop.aborted) return result;
    } catch (error) {
      if (!isOfAbort(error, stop)) throw error;
    } finally {
      await term[Symbol.asyncDispose]();
    }
  }
  return undefined;
}

/** Aborts with either. A look at it is a look at the term. */
function eitherOf(ofTerm: AbortSignal, signal: AbortSignal): AbortSignal {
  return watchful(AbortSignal.any([ofTerm, signal]), () => void ofTerm.aborted);
}

/** Whether work that was told to stop threw this because of that. */
function isOfAbort(error: unknown, { aborted, reason }: AbortSignal): boolean {
  return aborted && (error === reason || (error instanceof Error && error.name === "AbortError"));
}

/** The next term of this candidate, however long it takes; undefined: the signal aborted. */
async function campaign(
  transport: Transport,
  kind: LeaseKind,
  request: Omit<CampaignRequest, "waitMs">,
  { timeoutMs, signal }: CallOptions,
): Promise<Lease<Term> | undefined> {
  for (;;) {
    try {
      const waiting = { ...request, waitMs: CAMPAIGN_MS };
      return await acquire<Term>(transport, kind, waiting, { timeoutMs, signal });
    } catch (error) {
      if (signal?.aborted) return undefined;
      if (!(error instanceof QuorateError && (mayChange(error) || mayBeElected(error)))) throw error;
      await pause(transport, signal).catch(() => {});
    }
  }
}

/**
 * Who leads, now and whenever that changes: leader, term or value. A reader that is slow gets the newest only. `query`: empty, or
 * a parameter and `&`.
 */
export function observe(
  transport: Transport,
  name: string,
  options: CallOptions,
  query = "",
): AsyncGenerator<Election, never, void> {
  const path = `/elections/${encodeURIComponent(name)}?${query}`;
  return changes<Election>(transport, path, "leader", options);
}

export async function proclaim(
  transport: Transport,
  term: Lease<Term>,
  value: unknown,
  { timeoutMs, signal }: CallOptions,
  more?: object,
): Promise<void> {
  const { leaseId, grant, signal: ofTerm } = term;
  await transport.send({
    method: "POST",
    path: `/elections/${encodeURIComponent(grant.name)}/proclaim`,
    body: () => ({ ...more, leaseId, value }),
    ...transport.limits({ timeoutMs, signal: signal ? eitherOf(ofTerm, signal) : ofTerm }),
  });
}

/** What it was granted was gone before it heard of that, or the queue of candidates was full. */
const mayBeElected = (error: QuorateError) =>
  error.code === "lease_lost" || (error.code === "too_many" && error.retryAfterMs !== undefined);

/** A campaign is given up and begun anew after this time: one request for ever would never notice a mistake. */
const CAMPAIGN_MS = 3_600_000;
