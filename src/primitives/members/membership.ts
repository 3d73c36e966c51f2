import type { Clock, Random } from "../../clock.js";
import { CoordinationError } from "../../errors.js";
import type { Ids } from "../../ids.js";
import { Namespace } from "../../namespace.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { Keys } from "../../scripts/keys.js";
import { countMembers, type Heartbeat } from "../../scripts/member-calls.js";
import type { MemberEvent } from "../../scripts/member-event.js";
import { noteProbed } from "../../scripts/report-calls.js";
import type { BoundLeases, MayUse } from "../leases/bound-leases.js";
import { SharedReads } from "../reads/shared-reads.js";
import { Departures, type Leaving } from "./departures.js";
import { Expiry, type ExpiryObserver } from "./expiry.js";
import { type GuardObserver, Guards } from "./guards.js";
import { type JudgedCensus, ListWatches } from "./list-watches.js";
import { Listings } from "./listings.js";
import { type Member, type Registration, toMember } from "./member.js";
import { type ChangeOf, type MemberChange, MemberChanges } from "./member-changes.js";
import { tooManyMembers, unknownMember } from "./member-failures.js";
import { nonceOf } from "./member-key.js";
import { MemberPages } from "./member-pages.js";
import { MemberReads } from "./member-reads.js";
import { MemberRecords } from "./member-records.js";
import { MemberViews } from "./member-views.js";
import { type Alive, type HeartbeatOutcome, Pulses } from "./pulses.js";
import { RingIds } from "./ring-ids.js";
import { type ServicePage, ServicePages } from "./service-pages.js";
import { type SuspicionObserver, Suspicions } from "./suspicions.js";

export type { Member, Registration } from "./member.js";
export type { ChangeOf, MemberChange } from "./member-changes.js";

/** Instances of services, kept alive by heartbeats: TTL keys on a majority of the primaries. */
export class Membership {
  readonly reads: MemberReads;
  readonly #records: MemberRecords;
  readonly #changes: MemberChanges;
  readonly #departures: Departures;
  readonly #lists: SharedReads<JudgedCensus>;
  readonly #members: SharedReads<Member>;
  readonly #listings: Listings;
  /** For lists in pages. */
  readonly pages: MemberPages;
  /** For blocking reads of them. */
  readonly listWatches: ListWatches;
  readonly #services: ServicePages;
  readonly #ringIds: RingIds;
  readonly #pulses: Pulses;
  /** What others say against members. */
  readonly suspicions: Suspicions;
  readonly expiry: Expiry;
  /** For answers that may be a little old. */
  readonly views: MemberViews;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    clock: Clock,
    private readonly ids: Ids,
    private readonly settings: MembershipSettings,
    random: Random,
    bound: Pick<BoundLeases, "listed" | "renew">,
    observer?: SuspicionObserver & ExpiryObserver & GuardObserver,
  ) {
    this.reads = new MemberReads(primaries, keys, clock, settings.guardPercent);
    const guards = new Guards(primaries, keys, observer);
    const { guardPercent } = settings;
    this.expiry = new Expiry(primaries, keys, clock, random, this.reads, guards, guardPercent, observer);
    this.#records = new MemberRecords(primaries, keys, this.reads, clock);
    this.#changes = new MemberChanges(this.#records, clock, random, ids);
    this.#departures = new Departures(this.#records, this.#changes, ids, settings.ttlMaxMs);
    this.#lists = new SharedReads(clock, LISTS_AT_ONCE_MAX);
    this.#members = new SharedReads(clock, MEMBERS_AT_ONCE_MAX);
    this.suspicions = new Suspicions(primaries, keys, clock, this.reads, observer);
    this.#listings = new Listings(primaries, keys, clock, this.reads);
    this.pages = new MemberPages(this.reads, this.#listings, this.suspicions, clock, ids);
    this.listWatches = new ListWatches((service) => this.#census(service), this.pages, clock);
    this.#services = new ServicePages(this.reads, primaries, keys, clock);
    this.#ringIds = new RingIds(this.reads, clock);
    this.#pulses = new Pulses(
      primaries,
      keys,
      clock,
      this.reads,
      this.#records,
      this.#changes,
      this.#ringIds,
      bound,
    );
    this.views = new MemberViews((service) => this.list(service), clock, settings.viewAgeMsMax);
  }

  /** Begins a new incarnation of the member, with a secret of its own. Throws `superseded`, `too_many` and `no_quorum`. */
  async register(
    service: string,
    id: string,
    ttlMs: number,
    registration: Registration,
  ): Promise<{ member: Member; memberKey: string; isNew: boolean }> {
    for (let attempt = 0; attempt < REGISTER_ATTEMPTS_MAX; attempt++) {
      const known = await this.#records.find(service, id);
      const isNew = !known.isLive;
      const memberKey = this.ids.memberKey();
      const event = isNew ? JOINED : REGISTERED_AGAIN;
      const [record] = await Promise.all([
        this.#records.next(service, id, known, ttlMs, registration, event, nonceOf(memberKey)),
        isNew && this.#assertRoom(service),
        registration.probe && this.primaries.askMajority(noteProbed(this.keys, service)),
      ]);
      if (record && (await this.#records.put(service, record))) {
        this.#changed(service);
        return { member: toMember(record), memberKey, isNew };
      }
    }
    throw new CoordinationError(
      "superseded",
      `Other registrations of member ${id} came first ${REGISTER_ATTEMPTS_MAX} times in a row. If two processes use one id, give each its own.`,
    );
  }

  /**
   * Keeps a member alive; without `incarnation`, whichever is registered. With the nonce of its registration the leases that are
   * bound to it as well, as far as the caller may use them. Throws `unknown_member`, `superseded`, `forbidden` and `no_quorum`.
   */
  async heartbeat(heartbeat: Heartbeat, mayUse?: MayUse): Promise<Alive> {
    const [outcome] = await this.#pulses.of([heartbeat], mayUse);
    if (!outcome || "error" in outcome) throw outcome?.error;
    return outcome;
  }

  /** Keeps members alive, each by itself. The outcomes are in the order of the heartbeats. */
  heartbeats(heartbeats: readonly Heartbeat[], mayUse?: MayUse): Promise<readonly HeartbeatOutcome[]> {
    return this.#pulses.of(heartbeats, mayUse);
  }

  /** Raises the revision of a live member. Throws `unknown_member`, `superseded`, `version_mismatch` and `no_quorum`. */
  async update(service: string, id: string, change: MemberChange, of: ChangeOf = {}): Promise<Member> {
    const member = await this.#changes.update(service, id, change, of);
    this.#changed(service);
    return member;
  }

  /**
   * Ends a member; with `restartGraceMs` its place is kept for that time, for its next registration. Whether it was registered
   * until now, with this incarnation if one is named. Throws `superseded` and `no_quorum`.
   */
  async leave(service: string, id: string, how: Leaving = {}): Promise<boolean> {
    const left = await this.#departures.leave(service, id, how);
    this.#changed(service);
    return left;
  }

  /** The next answers of this instance must show it. */
  #changed(service: string): void {
    this.views.forget(service);
    this.#ringIds.changed(service);
  }

  /** All live members, in the order of their ids. Throws `no_quorum`. */
  async list(service: string): Promise<readonly Member[]> {
    return (await this.#census(service)).live;
  }

  #census(service: string): Promise<JudgedCensus> {
    return this.#lists.read(service, async () => {
      const { live, gone } = await this.#listings.all(service, await this.reads.ids(service));
      return { live: await this.suspicions.judge(service, live), gone };
    });
  }

  /** Concurrent callers share a read. Throws `unknown_member` and `no_quorum`. */
  get(service: string, id: string): Promise<Member> {
    return this.#members.read(`${service}/${id}`, async () => {
      const { record, isLive } = await this.#records.find(service, id);
      if (!record || !isLive) throw unknownMember(service, id);
      const [member] = await this.suspicions.judge(service, [record]);
      return member as Member;
    });
  }

  /**
   * A page of the services of the namespace that have members, by name, after `cursor`, and how many members each has.
   * Throws `no_quorum`.
   */
  services(cursor: string | null, limit: number, namespace = Namespace.default): Promise<ServicePage> {
    return this.#services.page(namespace, cursor, limit);
  }

  /**
   * A service is full if it is at every primary that answered: some may count members that have ended. Simultaneous
   * registrations do not see each other, so there may be more members by as many.
   */
  async #assertRoom(service: string): Promise<void> {
    const { serviceMembersMax } = this.settings;
    const counts = await this.primaries.askMajority(countMembers(this.keys, [service]));
    const members = Math.min(...counts.map(([count = 0]) => count));
    if (members >= serviceMembersMax) throw tooManyMembers(service, members);
  }
}

export interface MembershipSettings {
  readonly ttlMaxMs: number;
  readonly viewAgeMsMax: number;
  readonly serviceMembersMax: number;
  readonly guardPercent: number;
}

const JOINED: MemberEvent = { kind: "joined", why: "registered" };
const REGISTERED_AGAIN: MemberEvent = { kind: "updated", why: "registered again, with a new incarnation" };
/** Services that are read completely at the same time, each in parts. */
const LISTS_AT_ONCE_MAX = 4;
/** Single members that are read at the same time: a read is three scripts of some tens of microseconds. */
const MEMBERS_AT_ONCE_MAX = 64;
const REGISTER_ATTEMPTS_MAX = 8;
