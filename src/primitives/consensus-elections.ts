import {
  type Beat,
  type Leader,
  type Office,
  officeIn,
  proclaimed,
  renewed,
  resigned,
  type Stood,
  stand,
} from "../algorithms/consensus-election.js";
import { validForMs } from "../algorithms/validity.js";
import type { Clock } from "../clock.js";
import type { Ids } from "../ids.js";
import { digestOf } from "../scripts/hold.js";
import type { Campaigned, ElectionState, Elections, Term } from "./election.js";
import { LeaderBeats } from "./leader-beats.js";
import { lost, tooSlow, usedUp } from "./leases/lease-failures.js";
import { type Held, type InFlight, metadataText, parseMetadata } from "./leases/lease-terms.js";
import type { Registers } from "./registers/registers.js";

/** How many primaries there are, and how many a majority are. */
interface Votes {
  readonly all: { readonly length: number };
  readonly majority: number;
}

type CampaignRequest = Omit<Parameters<Elections["campaign"]>[0], "signal"> & {
  readonly signal?: AbortSignal | undefined;
};

/**
 * Elections by consensus, one register for each. A leader is replaced by compare-and-set, once it has gone, or once its beat was
 * seen here to stand still for the time that it had asked for. By the names of registers. All throw as `Changes.change` does.
 */
export class ConsensusElections
  implements Pick<Elections, "renew" | "proclaim" | "resign" | "inspect" | "change">
{
  readonly #beats: LeaderBeats;
  /** By name: somebody here tries to become the leader. */
  readonly #standing = new Map<string, Promise<unknown>>();

  constructor(
    private readonly registers: Pick<Registers, "changes" | "inspect" | "until">,
    private readonly votes: Votes,
    private readonly clock: Clock,
    private readonly ids: Pick<Ids, "leaseId">,
    ttlMaxMs: number,
  ) {
    this.#beats = new LeaderBeats(clock, ttlMaxMs);
  }

  /** A term, or who leads instead. Candidates are in no order. Throws `lease_lost` for a leaseId that led before. */
  async campaign(request: CampaignRequest): Promise<Campaigned> {
    const { name, waitMs = 0, signal, inFlight } = request;
    const leaseId = request.leaseId ?? this.ids.leaseId();
    const arrivedMs = this.clock.monotonicMs() - (inFlight?.queuedMs ?? 0);
    const deadlineMs = arrivedMs + waitMs;
    for (;;) {
      const startedMs = this.clock.monotonicMs();
      const office = await this.#stand(request, leaseId);
      if (office.leader?.lease === digestOf(leaseId)) {
        const term = this.#termOf(name, leaseId, office as Led, request.ttlMs, startedMs);
        const isWanted = term.validForMs > 0 && (request.leaseId !== undefined || !signal?.aborted);
        if (isWanted)
          return { kind: "acquired", lease: { ...term, waitedMs: Math.floor(startedMs - arrivedMs) } };
        await this.resign(name, leaseId);
        throw tooSlow(request.ttlMs);
      }
      const replaceableMs = this.#beats.replaceableMs(name, office);
      if (this.clock.monotonicMs() >= deadlineMs) return this.#held(name, office);
      await this.#vacant(name, Math.min(deadlineMs, replaceableMs), signal, inFlight);
      if (signal?.aborted) return this.#held(name, office);
    }
  }

  /** Throws `lease_lost`. */
  async renew({ name, leaseId, ttlMs, term }: Parameters<Elections["renew"]>[0]): Promise<Term> {
    const startedMs = this.clock.monotonicMs();
    const office = await this.#change(name, leaseId, (now, lease) => renewed(now, lease, ttlMs), term);
    return this.#termOf(name, leaseId, office, ttlMs, startedMs);
  }

  /** Changes the value that the leader carries. Throws `lease_lost`. */
  async proclaim({ name, leaseId, value }: Parameters<Elections["proclaim"]>[0]): Promise<{ term: number }> {
    const text = metadataText(value);
    const { term } = await this.#change(name, leaseId, (now, lease) => proclaimed(now, lease, text));
    return { term };
  }

  /** Whether it led until now. */
  async resign(name: string, leaseId: string): Promise<boolean> {
    const changed = await this.registers.changes.change<boolean>(name, ({ version }) => {
      const next = resigned(officeIn(version), digestOf(leaseId));
      return next ? writing(next, true) : { kind: "keep", result: false };
    });
    return (changed as { readonly result: boolean }).result;
  }

  async inspect(name: string): Promise<ElectionState> {
    return this.#stateOf(name, officeIn((await this.registers.inspect(name)).register));
  }

  /** The state once its version is not `version`, or when `deadlineMs` has passed. */
  async change(name: string, version: string | null, ...until: Until): Promise<ElectionState> {
    const isAnother = (office: Office | null) => versionOf(office) !== version;
    const register = await this.registers.until(name, (one) => isAnother(officeIn(one)), ...until);
    return this.#stateOf(name, officeIn(register));
  }

  /** The office after an attempt to lead it, or as it is where another leads. */
  async #stand(request: CampaignRequest, leaseId: string): Promise<Office> {
    const { name } = request;
    for (;;) {
      // Of all that stand here one tries at a time, and the others look what came of it.
      await this.#standing.get(name);
      const office = officeIn((await this.registers.inspect(name)).register);
      const still = this.#beats.still(name, office);
      const isMine = office?.leader?.lease === digestOf(leaseId);
      if (office?.leader && !still && !isMine) return office;
      if (this.#standing.has(name)) continue;
      const trying = this.#try(request, leaseId, still);
      const tried = trying.then(ignore, ignore).then(() => this.#standing.delete(name));
      this.#standing.set(name, tried);
      return trying;
    }
  }

  async #try({ name, candidate, value, ttlMs }: CampaignRequest, leaseId: string, still: Beat | null) {
    const lease = digestOf(leaseId);
    const candidacy = { lease, candidate: candidate ?? null, value: metadataText(value), ttlMs, still };
    const changed = await this.registers.changes.change<{ stood: Stood; office: Office }>(
      name,
      ({ version }, { nowMs }) => {
        const office = officeIn(version);
        const stood = stand(office, candidacy, nowMs);
        if (stood.kind === "leads") return writing(stood.next, { stood, office: stood.next });
        return { kind: "keep", result: { stood, office: office as Office } };
      },
    );
    const { stood, office } = (changed as { readonly result: { stood: Stood; office: Office } }).result;
    if (stood.kind === "ended") throw office.leader ? taken(office) : usedUp();
    return office;
  }

  async #change(
    name: string,
    leaseId: string,
    fn: (office: Office | null, lease: string) => Office | null,
    term?: number,
  ): Promise<Led> {
    const changed = await this.registers.changes.change<Office | null>(name, ({ version }) => {
      const office = officeIn(version);
      const next = term === undefined || term === office?.term ? fn(office, digestOf(leaseId)) : null;
      return next ? writing(next, next) : { kind: "keep", result: null };
    });
    if (changed.kind === "written" && changed.result) return changed.result as Led;
    const { state } = changed as Extract<typeof changed, { kind: "kept" }>;
    const office = officeIn(state.version);
    throw office?.leader ? taken(office) : lost({ kind: "expired" }, office?.term ?? 0);
  }

  /** Waits until nobody leads, or until `deadlineMs`; meanwhile it sees the beats. */
  #vacant(name: string, deadlineMs: number, signal?: AbortSignal, inFlight?: InFlight): Promise<unknown> {
    const isVacant = (office: Office | null) => {
      this.#beats.still(name, office);
      return !office?.leader;
    };
    return this.registers.until(
      name,
      (register) => isVacant(officeIn(register)),
      deadlineMs,
      signal,
      inFlight,
    );
  }

  #termOf(name: string, leaseId: string, { term, leader }: Led, ttlMs: number, startedMs: number): Term {
    const validMs = validForMs(ttlMs, this.clock.monotonicMs() - startedMs);
    return {
      leaseId,
      name,
      candidate: leader.candidate,
      term,
      value: parseMetadata(leader.value),
      ttlMs,
      validForMs: validMs,
      waitedMs: 0,
      acks: this.votes.majority,
      primaries: this.votes.all.length,
    };
  }

  #held(name: string, office: Office): Held {
    const { leader } = this.#stateOf(name, office);
    const { candidate, value, heldForMs, expiresInMs } = leader ?? NOBODY;
    const holder = leader && { owner: candidate, metadata: value, mode: "exclusive", heldForMs, expiresInMs };
    return { kind: "held", holder, retryAfterMs: Math.max(1, expiresInMs), queuePosition: 1 };
  }

  #stateOf(name: string, office: Office | null): ElectionState {
    const version = versionOf(office);
    const shared = { known: true, version, waiting: 0, queue: [] };
    if (!office?.leader) return { leader: null, ...shared };
    const { candidate, value, sinceMs } = office.leader;
    const expiresInMs = Math.max(0, this.#beats.replaceableMs(name, office) - this.clock.monotonicMs());
    const heldForMs = Math.max(0, this.clock.wallMicros() / 1_000 - sinceMs);
    const told = { heldForMs: Math.floor(heldForMs), expiresInMs: Math.ceil(expiresInMs) };
    return { leader: { candidate, term: office.term, value: parseMetadata(value), ...told }, ...shared };
  }
}

type Led = Office & { readonly leader: Leader };
type Until = [deadlineMs: number, signal?: AbortSignal, inFlight?: InFlight];

/** The register stays, so that no term comes again. */
const writing = <R>(office: Office, result: R) =>
  ({ kind: "write", json: JSON.stringify(office), ttlMs: null, result, told: "-" }) as const;

/** Changes with the leader, the term and the value, not with beats. */
function versionOf(office: Office | null): string {
  return office?.leader ? `${office.term}-${office.leader.revision}` : "none";
}

const taken = ({ term }: Office) => lost({ kind: "taken", counter: term }, term - 1);
const ignore = () => {};
const NOBODY = { candidate: null, value: null, heldForMs: 0, expiresInMs: 0 };
