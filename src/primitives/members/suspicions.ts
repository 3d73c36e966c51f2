import {
  mergeReports,
  nextReport,
  reportersNeeded,
  type Suspected,
  suspectedBy,
  suspectsOf,
  weightOf,
} from "../../algorithms/suspicion.js";
import type { Clock } from "../../clock.js";
import type { Primaries } from "../../quorum/primaries.js";
import { scanOn } from "../../quorum/scan.js";
import type { Keys } from "../../scripts/keys.js";
import type { MemberRecord } from "../../scripts/member-calls.js";
import {
  listReports,
  putReport,
  REPORTED_AT_ONCE_MAX,
  type Reported,
  type ReportsPart,
  type StoredReport,
} from "../../scripts/report-calls.js";
import type { ListedRecord } from "../../scripts/skim-calls.js";
import { SharedReads } from "../reads/shared-reads.js";
import { type Member, toMember } from "./member.js";
import { cannotReport, reportSuperseded, tooManyReported, unknownMember } from "./member-failures.js";
import { liveOf, type MemberReads } from "./member-reads.js";

/** What somebody says against a member. */
export interface Accusation {
  readonly reporter: string;
  readonly reason: string;
  /** See `Report`. */
  readonly weight: number;
}

export interface SuspicionObserver {
  /** `suspect`: whether the member that was reported is suspect. */
  reported(by: "peer" | "probe", suspect: boolean): void;
}

/** A member as it is known to its reporter. */
type Reportable = Pick<MemberRecord, "id" | "incarnation" | "ttlMs">;

/** What a member says against another. */
export interface PeerReport {
  readonly reporter: string;
  readonly reason: string;
  /** Of the member that it is about. */
  readonly incarnation?: number | undefined;
}

/** What is held against a member after a report. */
export interface Suspicion {
  readonly suspect: boolean;
  /** How many have reported it lately. */
  readonly reporters: number;
  /** How many it takes. */
  readonly reportersNeeded: number;
  /** For how long the report counts. */
  readonly windowMs: number;
}

/**
 * Which members are suspect because others could not reach them. A report is stored on a majority; a read takes what any
 * of a majority has, so each acknowledged report counts. Whether a member is suspect is no part of its record: it follows
 * from the reports that count when it is read.
 */
export class Suspicions {
  readonly #reads: SharedReads<Judged>;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    clock: Pick<Clock, "soon">,
    private readonly members: Pick<MemberReads, "records">,
    private readonly observer?: SuspicionObserver,
  ) {
    this.#reads = new SharedReads(clock, READS_AT_ONCE_MAX);
  }

  /**
   * A live member says that it cannot reach another. Throws `invalid_request` where it is no live member, `unknown_member`,
   * `superseded`, `too_many` and `no_quorum`.
   */
  async reportByPeer(service: string, id: string, report: PeerReport): Promise<Suspicion> {
    const { reporter, reason, incarnation } = report;
    if (reporter === id) throw cannotReport("a member cannot report itself");
    const { merged } = await this.members.records(service, [id, reporter]);
    const live = new Map(liveOf(merged).map((record) => [record.id, record]));
    const [member, peer] = [live.get(id), live.get(reporter)];
    if (!member || member.incarnation < (incarnation ?? 0)) throw unknownMember(service, id);
    if (incarnation !== undefined && member.incarnation > incarnation) throw reportSuperseded(id);
    if (!peer)
      throw cannotReport(`${reporter} is no live member of the service, and nobody else may report others`);
    return this.#report(service, member, { reporter, reason, weight: weightOf(peer) }, "peer");
  }

  /** An instance has probed a member in vain. Throws `too_many` and `no_quorum`. */
  reportByProbe(service: string, member: Reportable, accusation: Accusation): Promise<Suspicion> {
    return this.#report(service, member, accusation, "probe");
  }

  async #report(
    service: string,
    { id, incarnation, ttlMs }: Reportable,
    { reporter, reason, weight }: Accusation,
    by: "peer" | "probe",
  ): Promise<Suspicion> {
    const { primaries, keys } = this;
    const [known] = merged(await primaries.askMajority(listReports(keys, service, [id])));
    const last = known?.reports.find((report) => report.reporter === reporter);
    const next = nextReport(last, ttlMs);
    const report = { ...next, reporter, weight, incarnation, reason };
    await primaries.decide(
      putReport(keys, service, id, report),
      ({ values }) => values.filter(Boolean).length >= primaries.majority || undefined,
      {
        lastWord: ({ values }) => {
          if (values.length >= primaries.majority) throw tooManyReported(service);
          return undefined;
        },
      },
    );
    const { suspects, members, reported } = await this.#read(service);
    this.observer?.reported(by, suspects.has(id));
    return {
      suspect: suspects.has(id),
      reporters: reported.get(id)?.length ?? 0,
      reportersNeeded: reportersNeeded(members),
      windowMs: next.leftMs,
    };
  }

  /** The members of these records, with the status that follows from what is reported. Throws `no_quorum`. */
  async judge(service: string, records: readonly ListedRecord[]): Promise<Member[]> {
    const members = records.map(toMember);
    if (!records.some(({ reported }) => reported)) return members;
    const { suspects } = await this.#read(service);
    return members.map((member) =>
      member.status === "up" && suspects.has(member.id) ? { ...member, status: "suspect" } : member,
    );
  }

  /** The members of the service that are suspect. Throws `no_quorum`. */
  async suspected(service: string): Promise<ReadonlyMap<string, Suspected>> {
    const { suspects, reported } = await this.#read(service);
    return new Map([...suspects].map((id) => [id, suspectedBy(reported.get(id) ?? [])]));
  }

  /** Concurrent callers share a read. */
  #read(service: string): Promise<Judged> {
    return this.#reads.read(service, async () => {
      const { primaries, keys } = this;
      const sets = await primaries.askMajority((primary) => scanOn(primary, keys.reported(service)));
      const ids = [...new Set(sets.flat())].sort().slice(0, REPORTED_READ_MAX);
      const reported = new Map<string, readonly StoredReport[]>();
      let members = 0;
      for (let at = 0; at < ids.length; at += REPORTED_AT_ONCE_MAX) {
        const some = ids.slice(at, at + REPORTED_AT_ONCE_MAX);
        const replies = await primaries.askMajority(listReports(keys, service, some));
        members = Math.max(...replies.map((reply) => reply.members));
        for (const { id, live, reports, incarnation } of merged(replies)) {
          const counting = reports.filter((one) => one.leftMs > 0 && one.incarnation === incarnation);
          if (live && counting.length > 0) reported.set(id, counting);
        }
      }
      return { members, reported, suspects: suspectsOf(reported, members) };
    });
  }
}

/** What is reported in a service, and what follows. */
interface Judged {
  readonly members: number;
  /** The reports that count, of each member that has any. */
  readonly reported: ReadonlyMap<string, readonly StoredReport[]>;
  readonly suspects: ReadonlySet<string>;
}

/** What a majority know about each member, in its latest incarnation that any of them knows. */
function merged(replies: readonly ReportsPart[]): Reported[] {
  const all = replies.flatMap(({ reported }) => reported);
  return [...new Set(all.map(({ id }) => id))].map((id) => {
    const views = all.filter((view) => view.id === id);
    const incarnation = Math.max(...views.map((view) => view.incarnation));
    const latest = views.filter((view) => view.incarnation === incarnation);
    const live = latest.every((view) => view.live);
    const reports = mergeReports(views.map((view) => view.reports));
    return { ...(latest[0] as Reported), live, reports };
  });
}

const READS_AT_ONCE_MAX = 4;
/** The sets of a majority may differ, each having up to `REPORTED_MAX`. */
const REPORTED_READ_MAX = 2_000;
