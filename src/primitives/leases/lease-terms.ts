import { madeHere } from "../../ids.js";
import type { Namespace } from "../../namespace.js";
import type { Inspection } from "../../quorum/lease-votes.js";
import { digestOf, type Hold } from "../../scripts/hold.js";
import type { Claim, Mode } from "../../scripts/lease-calls.js";
import type { Departure } from "../queue/waiter.js";

/** What every kind of lease has, as seen by its holder. */
export interface Grant {
  readonly leaseId: string;
  readonly owner: string | null;
  readonly fencingToken: number;
  readonly ttlMs: number;
  /** Time the lease may still be trusted, in ms, from the start of the attempt that won. */
  readonly validForMs: number;
  /** Time from the request to the start of the attempt that won, in ms, rounded down: it adds to the time of trust. */
  readonly waitedMs: number;
  /** Primaries that were known to agree when the answer was sent. */
  readonly acks: number;
  readonly primaries: number;
}

/** A lease as others see it: never its leaseId. */
export interface Holder {
  readonly owner: string | null;
  readonly metadata: unknown;
  readonly mode: string;
  readonly heldForMs: number;
  readonly expiresInMs: number;
}

/** A waiting request as others see it. */
export interface Waiting {
  /** 1: the next. */
  readonly position: number;
  readonly mode: Mode;
  readonly owner: string | null;
}

/** The fields that every request for a lease may have. */
export interface LeaseRequest {
  readonly ttlMs: number;
  readonly owner?: string | undefined;
  /** Chosen by the caller, who may repeat the request with it; generated here if absent. */
  readonly leaseId?: string | undefined;
  /** Where a generated leaseId belongs; `default` if absent. */
  readonly namespace?: Namespace | undefined;
  /** The member whose heartbeats keep the lease; missing: only its holder does. */
  readonly member?: MemberProof | undefined;
  /** How long to wait in the queue, ms. */
  readonly waitMs?: number | undefined;
  /** Aborted when the client has disconnected. */
  readonly signal?: Departure | undefined;
  readonly inFlight?: InFlight | undefined;
}

/** What one process knows of its own registration as a member. */
export interface MemberProof {
  readonly service: string;
  readonly id: string;
  readonly incarnation: number;
  /** A secret. */
  readonly memberKey: string;
}

/** Names a lease that is held, and how long it is to live from now, ms. */
export interface RenewRequest {
  readonly leaseId: string;
  readonly ttlMs: number;
  readonly fencingToken?: number | undefined;
}

/** A request's share of what may be in flight at this instance. */
export interface InFlight {
  /** How long it was in a queue before it was in flight, ms. */
  readonly queuedMs: number;
  /** From now on it waits for something that uses no resources of this instance. */
  pause(): void;
  /** Resolves when it may continue. */
  resume(): Promise<void>;
}

/** What is requested: everything of a claim but the secret. */
export interface Wanted extends Omit<Claim, "leaseId"> {
  /** Whether other resources would serve as well if these are taken: then it is worth asking again at once. */
  readonly hasAlternatives?: boolean;
}

export interface Granted {
  readonly kind: "acquired";
  readonly grant: Grant;
  readonly wanted: Wanted;
}

export type Outcome = Granted | Held;

export interface Held {
  readonly kind: "held";
  /** Null if votes split, or if other requests merely come first. */
  readonly holder: Holder | null;
  readonly retryAfterMs: number;
  /** Its position in the queue when its time to wait was over, or the one it would have had; 1: the next. */
  readonly queuePosition: number;
}

/** The hold of a lease among those that a majority reports. */
export function holdOf({ holds }: Inspection, leaseId: string): Inspection["holds"][number] | undefined {
  const digest = digestOf(leaseId);
  return holds.find((hold) => hold.digest === digest);
}

/** Resources that are queues of their own. `mode` null: the mode in which they are held. */
export function wantedOf(
  resources: readonly string[],
  mode: Mode | null,
  leaseId: string | undefined,
): Wanted {
  const fingerprint = fingerprintOf(leaseId, resources.join(" "));
  return { mode, resources, queues: resources, fingerprint, limit: null };
}

/** The fingerprint that ties an id to one kind of request, if its caller chose the id; otherwise null. */
export function fingerprintOf(leaseId: string | undefined, text: string): string | null {
  return leaseId === undefined || madeHere(leaseId) ? null : text;
}

export function toHolder(hold: Hold): Holder {
  return {
    owner: hold.owner || null,
    metadata: parseMetadata(hold.metadata),
    mode: hold.mode,
    heldForMs: hold.heldForMs,
    expiresInMs: hold.expiresInMs,
  };
}

export function toQueue({ queue }: Inspection): Waiting[] {
  return queue.map(({ mode, owner }, index) => ({ position: index + 1, mode, owner: owner || null }));
}

export function parseMetadata(json: string): unknown {
  return json === "" ? null : JSON.parse(json);
}

export function metadataText(metadata: unknown): string {
  return metadata === undefined ? "" : JSON.stringify(metadata);
}
