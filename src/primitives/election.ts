import type { Clock } from "../clock.js";
import type { Ids } from "../ids.js";
import { resourceOf } from "../scripts/resource-kinds.js";
import { lost } from "./leases/lease-failures.js";
import {
  fingerprintOf,
  type Grant,
  type Held,
  holdOf,
  type InFlight,
  type LeaseRequest,
  metadataText,
  parseMetadata,
  toQueue,
  type Waiting,
  type Wanted,
} from "./leases/lease-terms.js";
import type { Leases } from "./leases/leases.js";
import { SharedReads } from "./reads/shared-reads.js";

/** A term of office, as the leader sees it. */
export interface Term extends Omit<Grant, "fencingToken" | "owner"> {
  readonly name: string;
  readonly candidate: string | null;
  /** The fencing token of this term. */
  readonly term: number;
  readonly value: unknown;
}

export type Campaigned = { readonly kind: "acquired"; readonly term: Term } | Held;

/** An election as everybody sees it. */
export interface ElectionState {
  readonly leader: {
    readonly candidate: string | null;
    readonly term: number;
    readonly value: unknown;
    readonly heldForMs: number;
    readonly expiresInMs: number;
  } | null;
  /** Whether a majority agree on that; false: nobody can tell who leads now. */
  readonly known: boolean;
  /** Names what can be known of it: changes with the leader, the term and the value. */
  readonly version: string;
  readonly waiting: number;
  readonly queue: readonly WaitingCandidate[];
}

/** A candidate that waits. Its owner is the candidate and its mode exclusive: both are from before it had its name. */
export interface WaitingCandidate extends Waiting {
  readonly candidate: string | null;
}

/** Elections: a lock that carries a value. Its fencing token is the term. */
export class Elections {
  readonly #watches = new Map<string, Watch>();
  readonly #reads: SharedReads<ElectionState>;

  constructor(
    private readonly leases: Leases,
    private readonly clock: Clock,
    private readonly ids: Ids,
  ) {
    this.#reads = new SharedReads(clock, READS_AT_ONCE_MAX);
  }

  /** Leads, or tells who does. Throws as `Leases.acquire` does. */
  async campaign(
    request: Omit<LeaseRequest, "owner"> & {
      readonly name: string;
      readonly candidate?: string | undefined;
      readonly value?: unknown;
    },
  ): Promise<Campaigned> {
    const { name, candidate, value } = request;
    const wanted = wantedOf(name, request.leaseId);
    const outcome = await this.leases.acquire(
      { ...request, owner: candidate, metadata: metadataText(value) },
      () => wanted,
    );
    if (outcome.kind === "held") return outcome;
    return { kind: "acquired", term: toTerm(name, outcome.grant, value ?? null) };
  }

  /** Throws `lease_lost` and `no_quorum`. */
  async renew(request: {
    readonly name: string;
    readonly leaseId: string;
    readonly ttlMs: number;
    readonly term?: number | undefined;
  }): Promise<Term> {
    const { name, leaseId, ttlMs, term } = request;
    const wanted = wantedOf(name, leaseId);
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
    const wanted = wantedOf(name, leaseId);
    const hold = holdOf(await this.leases.votes.inspect(resource(name)), leaseId);
    const token = hold?.token ?? (await this.leases.token(wanted, leaseId));
    const next = Number((hold?.revision ?? "").split("-")[0]) + 1;
    // The nonce orders two that were made at once.
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
    return this.leases.release(wantedOf(name, leaseId), leaseId);
  }

  /** What a majority says after this call. Those who ask at the same time get the same object. Throws `no_quorum`. */
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
   * The state once it is another than `version`, or when `deadlineMs` has passed. All who watch one election share its
   * reads. Throws `no_quorum`.
   */
  async change(
    name: string,
    version: string | null,
    deadlineMs: number,
    signal?: AbortSignal,
    inFlight?: InFlight,
  ): Promise<ElectionState> {
    const now = await this.inspect(name);
    if (now.version !== version) return now;
    let watch = this.#watches.get(name);
    if (!watch) {
      watch = new Watch(this, name, this.clock, () => this.#watches.delete(name));
      this.#watches.set(name, watch);
    }
    inFlight?.pause();
    const changed = await watch.until((state) => state.version !== version, deadlineMs, signal);
    if (!signal?.aborted) await inFlight?.resume();
    // That nothing has changed is for a majority to say.
    return changed ?? (signal?.aborted ? now : this.inspect(name));
  }
}

/** Looks at one election as long as somebody waits for its change. */
class Watch {
  /** Each says whether the state was what its watcher waits for. */
  readonly #waiting = new Set<(state: ElectionState) => boolean>();

  constructor(
    elections: Elections,
    name: string,
    private readonly clock: Clock,
    over: () => void,
  ) {
    void this.#look(elections, name).finally(over);
  }

  async until(
    isIt: (state: ElectionState) => boolean,
    deadlineMs: number,
    signal?: AbortSignal,
  ): Promise<ElectionState | null> {
    return new Promise((resolve) => {
      const end = (state: ElectionState | null) => {
        this.#waiting.delete(see);
        cancel();
        signal?.removeEventListener("abort", abort);
        resolve(state);
      };
      const see = (state: ElectionState) => {
        const changed = isIt(state);
        if (changed) end(state);
        return changed;
      };
      const abort = () => end(null);
      const cancel = this.clock.after(Math.max(0, deadlineMs - this.clock.monotonicMs()), abort);
      this.#waiting.add(see);
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort);
    });
  }

  async #look(elections: Elections, name: string): Promise<void> {
    do {
      await this.clock.sleep(LOOK_INTERVAL_MS);
      if (this.#waiting.size === 0) return;
      // While no majority answers nothing is known to have changed.
      const state = await elections.inspect(name).catch(() => null);
      if (state) await this.#tell(state);
    } while (this.#waiting.size > 0);
  }

  /** A few in each turn of the event loop: answers to a thousand watchers at once would stop everybody else. */
  async #tell(state: ElectionState): Promise<void> {
    let told = 0;
    for (const see of [...this.#waiting]) {
      // Those whose time ended meanwhile, or whose client went, have their answer.
      if (!this.#waiting.has(see) || !see(state)) continue;
      told += 1;
      if (told % TOLD_AT_ONCE_MAX === 0) await new Promise<void>((next) => this.clock.soon(next));
    }
  }
}

function toTerm(name: string, { fencingToken, owner, ...grant }: Grant, value: unknown): Term {
  return { ...grant, name, candidate: owner, term: fencingToken, value };
}

function wantedOf(name: string, leaseId: string | undefined): Wanted {
  const resources = [resource(name)];
  return {
    mode: "exclusive",
    resources,
    queues: resources,
    fingerprint: fingerprintOf(leaseId, resource(name)),
    limit: null,
  };
}

const resource = (name: string) => resourceOf("election", name);
const REVISION_DIGITS = 12;
const LOOK_INTERVAL_MS = 200;
/** Elections that are read at once: a read is three scripts of some tens of microseconds. */
const READS_AT_ONCE_MAX = 64;
/** Some milliseconds of work: an answer of the largest size takes some 0.2 ms. */
const TOLD_AT_ONCE_MAX = 8;
