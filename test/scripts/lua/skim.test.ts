import { describe, expect, test } from "vitest";
import { MEMBERS_AT_ONCE_MAX, type MemberRecord, putMember } from "../../../src/scripts/member-calls.js";
import { putReport } from "../../../src/scripts/report-calls.js";
import { FIELD, type Skimmed, skimMembers } from "../../../src/scripts/skim-calls.js";
import { memberRecord } from "../../helpers/member-record.js";
import { freshName } from "../../helpers/names.js";
import { OneServer } from "../../helpers/one-server.js";

// What one server tells of members for lists.
const server = new OneServer();
const { keys } = server;

const skim = (service: string, ids: readonly string[], what: "all" | "same" = "all") =>
  server.run(skimMembers(keys, service, ids, what));
const put = (service: string, fields: Partial<MemberRecord>) =>
  server.run(putMember(keys, service, memberRecord({ incarnation: 5, revision: 3, ...fields })));
const of = ({ fields, width }: Skimmed, index: number) =>
  Object.fromEntries(
    Object.entries(FIELD).map(([name, at]) => [name, at < width ? fields[index * width + at] : null]),
  );

describe("skim-members", () => {
  test("tells what a list shows of those that are there, in the order of the ids, by this server's clock", async () => {
    const service = freshName();
    await put(service, { id: "a", heartbeatAgeMs: 5_000 });
    await put(service, { id: "b", status: "draining", endsInMs: 9_000 });
    await put(service, { id: "c", left: true });
    const all = await skim(service, ["a", "nobody", "b", "c"]);
    expect([all.lookedAt, all.fields.length]).toEqual([4, 44]);
    expect(Math.abs(all.nowMs - Date.now())).toBeLessThan(5_000);
    const a = of(all, 0);
    expect(a).toMatchObject({ incarnation: "5", revision: "3", left: "0", load: "", reported: "", ends: "" });
    expect(a).toMatchObject({ ttl: "15000", registered: '{"address":"m:1"}', status: "up" });
    expect(all.nowMs - Number(a.heartbeat)).toBeGreaterThanOrEqual(5_000);
    expect(Number(a.deadline)).toBeGreaterThan(all.nowMs);
    expect(Object.values(of(all, 1)).every((text) => text === "")).toBe(true);
    expect(of(all, 2).status).toBe("draining");
    expect(Number(of(all, 2).ends)).toBeGreaterThan(all.nowMs);
    expect(of(all, 3).left).toBe("1");
  });

  test("tells less where only what others have the same matters", async () => {
    const service = freshName();
    for (const id of ["a", "b"]) await put(service, { id });
    await server.redis.hset(keys.member(service, "b"), "load", '{"cpu":0.5}');
    const same = await skim(service, ["a", "nobody", "b"], "same");
    expect([same.lookedAt, same.width, same.fields.length]).toEqual([3, 7, 21]);
    expect(of(same, 2)).toMatchObject({
      incarnation: "5",
      revision: "3",
      load: '{"cpu":0.5}',
      registered: null,
    });
  });

  test("tells of whom reports count, and not of whom they do no more", async () => {
    const service = freshName();
    const report = {
      reporter: "r",
      incarnation: 5,
      weight: 1,
      times: 1,
      countedAgeMs: 0,
      reason: "no answer",
    };
    for (const [id, leftMs] of [
      ["a", 20_000],
      ["b", 20_000],
      ["c", 0],
    ] as const) {
      await put(service, { id });
      if (id !== "a") await server.run(putReport(keys, service, id, { ...report, leftMs: 20_000 }));
      if (leftMs === 0) await server.redis.zadd(keys.reported(service), 1, id);
    }
    for (const what of ["all", "same"] as const) {
      const told = await skim(service, ["a", "b", "c"], what);
      expect([0, 1, 2].map((index) => of(told, index).reported)).toEqual(["", "1", ""]);
    }
  });

  test("tells no deadline of one that an earlier version has stored", async () => {
    const service = freshName();
    await put(service, { id: "a" });
    await server.redis.hdel(keys.member(service, "a"), "deadline", "status", "event");
    expect(of(await skim(service, ["a"]), 0)).toMatchObject({ incarnation: "5", deadline: "", status: "" });
  });

  test("tells of a few hundred KB, and of 250 members at most", async () => {
    const service = freshName();
    const ids = Array.from({ length: MEMBERS_AT_ONCE_MAX + 1 }, (_, i) => `m-${String(i).padStart(3, "0")}`);
    const registered = JSON.stringify({ metadata: "x".repeat(2_000) });
    await Promise.all(ids.map((id) => put(service, { id, registered })));
    const part = await skim(service, ids);
    expect(part.lookedAt).toBeGreaterThan(100);
    expect(part.lookedAt).toBeLessThan(140);
    expect(part.fields.length).toBe(part.lookedAt * part.width);
    const same = await skim(service, ids, "same");
    expect([same.lookedAt, same.fields.length]).toEqual([
      MEMBERS_AT_ONCE_MAX,
      MEMBERS_AT_ONCE_MAX * same.width,
    ]);
  });
});
