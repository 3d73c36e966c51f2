import { heldByMajority } from "../algorithms/holds.js";
import type { Clock } from "../clock.js";
import { Namespace } from "../namespace.js";
import type { Primaries } from "../quorum/primaries.js";
import type { Hold } from "../scripts/hold.js";
import { listLocks } from "../scripts/holder-calls.js";
import type { Keys } from "../scripts/keys.js";
import type { Mode } from "../scripts/lease-calls.js";
import { resourceOf } from "../scripts/resource-kinds.js";
import { type HolderPage, HolderPages } from "./leases/holder-pages.js";
import { notAllToBreak } from "./leases/lease-failures.js";
import {
  type Grant,
  type Held,
  type Holder,
  type LeaseRequest,
  metadataText,
  parseMetadata,
  type RenewRequest,
  toHolder,
  toQueue,
  type Waiting,
  type Wanted,
  wantedOf,
} from "./leases/lease-terms.js";
import type { Leases } from "./leases/leases.js";
import { SharedReads } from "./reads/shared-reads.js";

/** A lock, or several under one lease, as seen by its holder. */
export interface Lease extends Grant {
  readonly names: readonly string[];
  readonly mode: Mode;
  readonly metadata: unknown;
}

export interface AcquireRequest extends LeaseRequest {
  readonly names: readonly string[];
  readonly mode?: Mode | undefined;
  readonly metadata?: unknown;
}

export type Acquired = { readonly kind: "acquired"; readonly lease: Lease } | Held;

/** The holders of a lock, and the requests that wait for it. */
export interface LockState {
  readonly mode: Mode | null;
  readonly holders: readonly Holder[];
  /** The holders' token, if a majority agrees on it. */
  readonly fencingToken: number | null;
  /** No token above this one has been issued. */
  readonly newest: number;
  /** How many requests wait, and the first of them. */
  readonly waiting: number;
  readonly queue: readonly Waiting[];
}

export interface ListedLock {
  readonly name: string;
  readonly mode: Mode;
  readonly holders: readonly Holder[];
}

/** Locks by name, exclusive or shared, alone or several at once, each grant with a fencing token that only grows. */
export class Locks {
  readonly #holders: HolderPages;
  readonly #reads: SharedReads<LockState>;

  constructor(
    private readonly leases: Leases,
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    clock: Pick<Clock, "soon">,
  ) {
    this.#holders = new HolderPages(primaries, keys, clock);
    this.#reads = new SharedReads(clock, READS_AT_ONCE_MAX);
  }

  /** Acquires all names or none, or reports the holder of one of them. Throws as `Leases.acquire` does. */
  async acquire(request: AcquireRequest): Promise<Acquired> {
    const { names, mode = "exclusive", metadata } = request;
    const wanted = wantedOf(resourcesOf(names), mode, request.leaseId);
    const outcome = await this.leases.acquire({ ...request, metadata: metadataText(metadata) }, () => wanted);
    if (outcome.kind === "held") return outcome;
    const lease = { ...outcome.grant, names: namesOf(wanted), mode, metadata: metadata ?? null };
    return { kind: "acquired", lease };
  }

  /** Throws `lease_lost` and `no_quorum`. */
  async renew(request: RenewRequest & { readonly names: readonly string[] }): Promise<Lease> {
    const wanted = wantedOf(resourcesOf(request.names), null, request.leaseId);
    const { grant, mode, metadata } = await this.leases.renew(wanted, request);
    return { ...grant, names: namesOf(wanted), mode, metadata: parseMetadata(metadata) };
  }

  /**
   * Returns whether the lease was held until now. A leaseId that is not the holder's changes nothing. Throws
   * `no_quorum`.
   */
  release(names: readonly string[], leaseId: string): Promise<boolean> {
    return this.leases.release(wantedOf(resourcesOf(names), null, leaseId), leaseId);
  }

  /** The state that a majority reports after this call. Simultaneous callers share a read. Throws `no_quorum`. */
  inspect(name: string): Promise<LockState> {
    return this.#reads.read(name, () => this.#read(name));
  }

  async #read(name: string): Promise<LockState> {
    const seen = await this.leases.votes.inspect(resource(name));
    return {
      mode: (seen.holds[0]?.mode as Mode | undefined) ?? null,
      holders: seen.holds.map(toHolder),
      fencingToken: seen.holds[0]?.token ?? null,
      newest: seen.highest,
      waiting: seen.waiting,
      queue: toQueue(seen),
    };
  }

  /** All holders of a lock, a page at a time: the page after `cursor`. Throws `no_quorum`. */
  holders(name: string, cursor: string | null, limit: number): Promise<HolderPage> {
    return this.#holders.page(resource(name), cursor, limit);
  }

  /** Whether the lease with this token holds the name now, and the newest token that is known. Throws `no_quorum`. */
  async check(name: string, fencingToken: number): Promise<{ current: boolean; newest: number | null }> {
    const { holders, fencingToken: held, newest } = await this.inspect(name);
    return {
      current: holders.length > 0 && held === fencingToken,
      newest: held ?? (newest > 0 ? newest : null),
    };
  }

  /**
   * Ends all leases that hold the name, with their other names. Returns how many leases that were. Throws `no_quorum`, and
   * `forbidden` if one of them has a name that may not be broken: then none is ended.
   */
  async break(
    name: string,
    reason: string,
    mayBreak: (name: string) => boolean = () => true,
  ): Promise<number> {
    const broken = await this.leases.votes.break(resource(name), reason, (held) => mayBreak(nameOf(held)));
    if (broken === null) throw notAllToBreak();
    return broken;
  }

  /**
   * Held locks of the namespace of `prefix` in the order of their names, a page at a time: the page after `cursor`. Throws
   * `no_quorum`.
   */
  async list(
    prefix: string,
    cursor: string,
    most: number,
  ): Promise<{ locks: ListedLock[]; cursor: string | null }> {
    const after = cursor === "" ? "" : resource(cursor);
    // Asks all that answer: a majority that lacks one of the votes would leave out a held lock.
    const call = listLocks(this.keys, resource(prefix), after, most);
    const pages = await this.primaries.askAll(call);
    // Names that one primary has not scanned yet would lack its vote.
    const ends = pages.flatMap(({ upTo }) => (upTo === null ? [] : [upTo]));
    // The range of an empty prefix goes on with the names of other namespaces: there, all own names have been scanned.
    const namespace = Namespace.of(prefix);
    const end = ends
      .sort()
      .slice(0, 1)
      .find((resource) => namespace.has(nameOf(resource)));
    const byName = new Map<string, (readonly Hold[])[]>();
    for (const { resource, holds } of pages.flatMap(({ locks }) => locks)) {
      if ((end !== undefined && resource > end) || !namespace.has(nameOf(resource))) continue;
      byName.set(resource, [...(byName.get(resource) ?? []), holds]);
    }
    const names = [...byName.keys()].sort();
    const locks = names.flatMap((resource) => {
      const holds = heldByMajority(byName.get(resource) ?? [], this.primaries.majority);
      const [first] = holds;
      if (!first) return [];
      return [{ name: nameOf(resource), mode: first.mode as Mode, holders: holds.map(toHolder) }];
    });
    return { locks, cursor: end === undefined ? null : nameOf(end) };
  }
}

const resource = (name: string) => resourceOf("lock", name);
const resourcesOf = (names: readonly string[]) =>
  (names.length === 1 ? names : [...new Set(names)].sort()).map(resource);
const nameOf = (resource: string) => resource.slice(resourceOf("lock", "").length);
const namesOf = ({ resources }: Wanted) => resources.map(nameOf);
/** Maximum number of concurrent reads: the most expensive read is three replies of 250 KB. */
const READS_AT_ONCE_MAX = 64;
