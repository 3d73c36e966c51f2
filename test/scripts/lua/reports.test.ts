import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { scanBy } from "../../../src/quorum/scan.js";
import { listMembers, putMember } from "../../../src/scripts/member-calls.js";
import {
  listReports,
  putReport,
  REPORTED_MAX,
  REPORTERS_MAX,
  type StoredReport,
} from "../../../src/scripts/report-calls.js";
import { memberRecord } from "../../helpers/member-record.js";
import { freshName } from "../../helpers/names.js";
import { OneServer } from "../../helpers/one-server.js";

// The scripts of reports against members, each by itself, on one real server.
const server = new OneServer();
const { keys } = server;
const run: typeof server.run = (call) => server.run(call);

const MEMBER = memberRecord({ incarnation: 1795222235123, ttlMs: 20_000, expiresInMs: 20_000 });

const REPORT: StoredReport = {
  reporter: "peer",
  incarnation: MEMBER.incarnation,
  weight: 0.5,
  times: 2,
  leftMs: 30_000,
  countedAgeMs: 4_000,
  reason: 'no answer within 2 s, 3 % of the time: "é"',
};

async function serviceOf(...ids: string[]): Promise<string> {
  const service = freshName();
  for (const id of ids) await run(putMember(keys, service, { ...MEMBER, id }));
  return service;
}

const put = (service: string, report: Partial<StoredReport> = {}, id = "m") =>
  run(putReport(keys, service, id, { ...REPORT, ...report }));

async function reports(service: string, id = "m"): Promise<readonly StoredReport[]> {
  const { reported } = await run(listReports(keys, service, [id]));
  return reported[0]?.reports ?? [];
}

const isReported = async (service: string, id = "m") =>
  (await run(listMembers(keys, service, [id]))).members[0]?.reported;

describe("put-report", () => {
  test("stores what was said, and the list of members shows that something was", async () => {
    const service = await serviceOf("m", "other");
    expect(await isReported(service)).toBe(false);
    expect(await put(service)).toBe(true);
    const [report, ...others] = await reports(service);
    expect(others).toEqual([]);
    expect(report).toMatchObject({ reporter: "peer", weight: 0.5, times: 2, reason: REPORT.reason });
    expect(report?.incarnation).toBe(MEMBER.incarnation);
    expect(report?.leftMs).toBeGreaterThan(29_000);
    expect(report?.countedAgeMs).toBeGreaterThanOrEqual(4_000);
    expect(await isReported(service)).toBe(true);
    expect(await isReported(service, "other")).toBe(false);
    expect(await scanBy(run, keys.reported(service))).toEqual(["m"]);
  });

  test("of a later repetition replaces the one before, of an earlier one changes nothing", async () => {
    const service = await serviceOf("m");
    await put(service, { times: 2 });
    expect(await put(service, { times: 1, leftMs: 50_000 })).toBe(true);
    expect((await reports(service))[0]).toMatchObject({ times: 2 });
    expect((await reports(service))[0]?.leftMs).toBeLessThanOrEqual(30_000);
    await put(service, { times: 3, leftMs: 60_000 });
    expect((await reports(service))[0]?.leftMs).toBeGreaterThan(50_000);
  });

  test("is remembered for as long as it counted, and does not show in the list any more", async () => {
    const service = await serviceOf("m");
    await put(service, { leftMs: 120 });
    await sleep(140);
    expect(await isReported(service)).toBe(false);
    expect((await reports(service))[0]?.leftMs).toBeLessThan(0);
    await sleep(140);
    expect(await reports(service)).toEqual([]);
  });

  test("lets all that it wrote end by itself", async () => {
    const service = await serviceOf("m");
    await put(service, { leftMs: 5_000 });
    await put(service, { reporter: "other", leftMs: 1_000 });
    const left = await Promise.all(
      [keys.reports(service, "m"), keys.reported(service)].map((key) => server.redis.pttl(key)),
    );
    expect(left[0]).toBeGreaterThan(9_000);
    expect(left[0]).toBeLessThanOrEqual(10_000);
    expect(left[1]).toBeGreaterThan(4_000);
    expect(left[1]).toBeLessThanOrEqual(5_000);
  });

  test("keeps so many reporters per member: the one whose report ends first goes", async () => {
    const service = await serviceOf("m");
    for (let i = 0; i < REPORTERS_MAX; i++) await put(service, { reporter: `r${i}`, leftMs: 20_000 + i });
    await put(service, { reporter: "r0", leftMs: 60_000 });
    await put(service, { reporter: "last" });
    const kept = (await reports(service)).map(({ reporter }) => reporter);
    expect(kept).toHaveLength(REPORTERS_MAX);
    expect(kept).not.toContain("r1");
    expect(kept).toEqual(expect.arrayContaining(["r0", "r2", "last"]));
  });

  test("refuses one member more than may have reports, until others have ended", async () => {
    const service = await serviceOf("m");
    for (let i = 0; i < REPORTED_MAX - 1; i++) await put(service, {}, `m${i}`);
    await put(service, { leftMs: 300 }, "ends");
    expect(await put(service)).toBe(false);
    expect(await reports(service)).toEqual([]);
    expect(await put(service, { times: 3 }, "m7")).toBe(true);
    await sleep(310);
    expect(await put(service)).toBe(true);
  });
});

describe("list-reports", () => {
  test("counts the members of the service, and leaves out whom it does not know", async () => {
    const service = await serviceOf("m", "other");
    await run(putMember(keys, service, { ...MEMBER, id: "gone", left: true }));
    await put(service);
    await put(service, {}, "stranger");
    const { members, reported } = await run(listReports(keys, service, ["m", "gone", "stranger"]));
    expect(members).toBe(2);
    expect(reported.map(({ id, live, ttlMs }) => ({ id, live, ttlMs }))).toEqual([
      { id: "m", live: true, ttlMs: 20_000 },
      { id: "gone", live: false, ttlMs: 20_000 },
    ]);
  });

  test("tells nothing of a service with a similar name", async () => {
    const service = await serviceOf("m");
    await put(service, {}, "m");
    expect(await reports(`${service}/m`, "m")).toEqual([]);
    expect(await reports(service, "m2")).toEqual([]);
  });
});
