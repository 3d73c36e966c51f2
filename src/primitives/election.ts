import type { Clock } from "../clock.js";
import type { Ids } from "../ids.js";
import { resourceOf } from "../scripts/resource-kinds.js";
import { lost } from "./leases/lease-failures.js";
import {
  type Grant,
  type Held,
  type InFlight,
  type LeaseRequest,
  metadataText,
  parseMetadata,
  toQueue,
  type Waiting,
  wantedOf,
} from "./leases/lease-terms.js";
import type { Leases } from "./leases/leases.js";
import { SharedReads } from "./reads/shared-reads.js";
import { type Versioned, Watches } from "./reads/watch.js";

/** A term of office, as its leader sees it. */
export interface Term extends Omit<Grant, "fencingToken" | "owner"> {
  readonly name: string;
  readonly candidate: string | null;
  /** The fencing token of this term. */
  readonly term: number;
  readonly value: unknown;
}

export type Campaigned = { readonly kind: "acquired"; readonly lease: Term } | Held;

/** An election as everybody sees it. */
export interface ElectionState extends Versioned {
  readonly leader: {
    readonly candidate: string | null;
    readonly term: number;
    readonly value: unknown;
    readonly heldForMs: number;
    readonly expiresInMs: number;
  } | null;
  /** Whether a majority agrees on that. false: nobody can tell who leads now. */
  readonly known: boolean;
  /** Changes with the leader, the term and the value. */
  readonly version: string;
  readonly waiting: number;
  readonly queue: readonly WaitingCandidate[];
}

/** A waiting candidate. `owner` (the candidate) and `mode` (exclusive) are older than `candidate`, and deprecated. */
export interface WaitingCandidate extends Waiting {
  readonly candidate: string | null;
}

/** Elections: a lock that carries a value. Its fencing token is the term. */
export class Elections {
  readonly #watches: Watches<ElectionState>;
  readonly #reads: SharedReads<ElectionState>;

  constructor(
    private readonly leases: Leases,
    clock: Clock,
    private readonly ids: Ids,
  ) {
    this.#reads = new SharedReads(clock, READS_AT_ONCE_MAX);
    this.#watches = new Watches(clock, (name) => this.inspect(name));
  }

  /** A term, or who leads instead. Throws as `Leases.acquire` does. */
  async campaign(
    request: Omit<LeaseRequest, "owner"> & {
      readonly name: string;
      readonly candidate?: string | undefined;
      readonly value?: unknown;
    },
  ): Promise<Campaigned> {
    const { name, candidate, value } = request;
    const wanted = termOf(name, request.leaseId);
    const outcome = await this.leases.acquire(
      { ...request, owner: candidate, metadata: metadataText(value) },
      () => wanted,
    );
    if (outcome.kind === "held") return outcome;
    return { kind: "acquired", lease: toTerm(name, outcome.grant, value ?? null) };
  }

  /** Throws `lease_lost` and `no_quorum`. */
  async renew(request: {
    readonly name: string;
    readonly leaseId: string;
    readonly ttlMs: number;
    readonly term?: number | undefined;
  }): Promise<Term> {
    const { name, leaseId, ttlMs, term } = request;
    const wanted = termOf(name, leaseId);
    const { grant, metadata } = await this.leases.renew(wanted, { leaseId, ttlMs, fencingToken: term });
    return toTerm(name, grant, parseMetadata(metadata));
  }

  /** Changes the value that the leader carries. Throws `lease_lost` and `no_quorum`. */
  async proclaim(request: {
    readonly name: string;
    readonly leaseId: string;
    readonly value: unknown;
  }): Promise<{ term: number }> {
    const { name, leaseId, value } = request;
    const wanted = termOf(name, leaseId);
    const { token, revision: latest } = await this.leases.held(wanted, leaseId);
    const next = Number(latest.split("-")[0]) + 1;
    // The nonce orders two proclamations that were made at the same time.
    const revision = `${String(next).padStart(REVISION_DIGITS, "0")}-${this.ids.hexNonce()}`;
    const held = await this.leases.votes.proclaim(
      { ...wanted, leaseId, token },
      revision,
      metadataText(value),
    );
    if (!held) throw lost({ kind: "expired" }, token);
    return { term: token };
  }

  /** Whether it led until now. Throws `no_quorum`. */
  resign(name: string, leaseId: string): Promise<boolean> {
    return this.leases.release(termOf(name, leaseId), leaseId);
  }

  /** What a majority says after this call. Concurrent callers get the same object. Throws `no_quorum`. */
  inspect(name: string): Promise<ElectionState> {
    return this.#reads.read(name, () => this.#read(name));
  }

  async #read(name: string): Promise<ElectionState> {
    const seen = await this.leases.votes.inspect(resource(name));
    const { waiting } = seen;
    const queue = toQueue(seen).map((each) => ({ ...each, candidate: each.owner }));
    const [hold] = seen.holds;
    if (!hold || hold.token === null)
      return { leader: null, known: seen.free, version: seen.free ? "none" : "unknown", waiting, queue };
    return {
      leader: {
        candidate: hold.owner || null,
        term: hold.token,
        value: parseMetadata(hold.metadata),
        heldForMs: hold.heldForMs,
        expiresInMs: hold.expiresInMs,
      },
      known: true,
      version: `${hold.token}-${Number(hold.revision.split("-")[0])}-${hold.revision.split("-")[1] ?? ""}`,
      waiting,
      queue,
    };
  }

  /**
   * The state once its version is not `version`, or when `deadlineMs` has passed. All who watch one election share its
   * reads. Throws `no_quorum`.
   */
  change(
    name: string,
    version: string | null,
    deadlineMs: number,
    signal?: AbortSignal,
    inFlight?: InFlight,
  ): Promise<ElectionState> {
    return this.#watches.change(name, version, deadlineMs, signal, inFlight);
  }
}

function toTerm(name: string, { fencingToken, owner, ...grant }: Grant, value: unknown): Term {
  return { ...grant, name, candidate: owner, term: fencingToken, value };
}

const resource = (name: string) => resourceOf("election", name);
const termOf = (name: string, leaseId: string | undefined) =>
  wantedOf([resource(name)], "exclusive", leaseId);
const REVISION_DIGITS = 12;
/** Elections that are read at the same time: a read is three scripts of some tens of microseconds. */
const READS_AT_ONCE_MAX = 64;
