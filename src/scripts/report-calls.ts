import type { Remembered, Report } from "../algorithms/suspicion.js";
import type { Keys } from "./keys.js";
import { type Call, isOne, scriptCall } from "./scripts.js";

/** What a reporter says against a member, as a primary stores it. */
export interface StoredReport extends Report, Remembered {
  /** Of the member, when it was said. */
  readonly incarnation: number;
  readonly reason: string;
}

/** What is reported about one member, and as which incarnation the primary knows it. */
export interface Reported {
  readonly id: string;
  readonly incarnation: number;
  readonly live: boolean;
  readonly ttlMs: number;
  readonly reports: readonly StoredReport[];
}

/** False: too many members of the service have reports. */
export function putReport(keys: Keys, service: string, id: string, report: StoredReport): Call<boolean> {
  const { reporter, incarnation, weight, times, leftMs, countedAgeMs, reason } = report;
  return scriptCall(
    "put-report",
    [keys.reports(service, id), keys.reported(service)],
    [
      id,
      reporter,
      incarnation,
      weight,
      times,
      leftMs,
      Math.round(countedAgeMs),
      REPORTERS_MAX,
      REPORTED_MAX,
      reason,
    ],
    isOne,
  );
}

/** `members`: how many the service has. */
export interface ReportsPart {
  readonly members: number;
  readonly reported: readonly Reported[];
}

/** `ids`: at most `REPORTED_AT_ONCE_MAX`. */
export function listReports(keys: Keys, service: string, ids: readonly string[]): Call<ReportsPart> {
  const args = [keys.memberPrefix(service), keys.reportPrefix(service), ...ids];
  const sets = [keys.members(service), keys.left(service)];
  return scriptCall("list-reports", sets, args, (reply) => {
    const [members, ...reported] = reply as [number, ...unknown[][]];
    return { members, reported: reported.map(toReported) };
  });
}

function toReported(fields: readonly unknown[]): Reported {
  const [id, incarnation, left, ttlMs, time, said] = fields as [
    string,
    string,
    string,
    string,
    string,
    string[],
  ];
  const reports: StoredReport[] = [];
  for (let i = 0; i + 1 < said.length; i += 2)
    reports.push(toReport(said[i] as string, said[i + 1] as string, Number(time)));
  return { id, incarnation: Number(incarnation), live: left === "0", ttlMs: Number(ttlMs), reports };
}

/** `timeMs`: by the clock of the primary, as all times in what is stored. */
function toReport(reporter: string, said: string, timeMs: number): StoredReport {
  const [ends = 0, counted = 0, incarnation = 0, weight = 0, times = 0, ...reason] = said.split(" ");
  return {
    reporter,
    incarnation: Number(incarnation),
    weight: Number(weight),
    times: Number(times),
    leftMs: Number(ends) - timeMs,
    countedAgeMs: timeMs - Number(counted),
    reason: reason.join(" "),
  };
}

/** Sent to a majority when a member that is to be probed registers, and again and again while there are such members. */
export function noteProbed(keys: Keys, service: string): Call<void> {
  return scriptCall("note-probed", [keys.probed], [service, PROBED_MS]);
}

/** How long a service is known to have members to be probed without anybody looking. */
const PROBED_MS = 3_600_000;
/** Reporters that are kept per member: more than it takes. */
export const REPORTERS_MAX = 8;
/** Members of a service that may have reports at a time. */
export const REPORTED_MAX = 1_000;
/** Members in one reply, with the most reporters: a millisecond of a primary's time. */
export const REPORTED_AT_ONCE_MAX = 100;
