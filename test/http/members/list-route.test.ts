import { describe, expect, test } from "vitest";
import { Pair } from "../../helpers/pair.js";
import { freshName } from "../../helpers/service.js";

// Lists with filters, and blocking reads of them, at two instances on the same primaries.

const pair = new Pair();

const put = (service: string, id: string, more: object = {}, at = pair.one) =>
  at.call("PUT", `/v1/services/${service}/members/${id}`, { address: "10.0.0.7:9000", ...more });
const leave = (service: string, id: string) =>
  pair.one.call("DELETE", `/v1/services/${service}/members/${id}`);
const list = (service: string, query = "", headers: Record<string, string> = {}, at = pair.one) =>
  at.call("GET", `/v1/services/${service}/members${query}`, undefined, headers);
const idsOf = ({ body }: { body: { members: { id: string }[] } }) => body.members.map(({ id }) => id);
const etagOf = async (service: string, query = "") => (await list(service, query)).headers.get("etag") ?? "";

async function threeMembers(): Promise<string> {
  const service = freshName("search");
  await put(service, "a", { zone: "z1", tags: ["ssd", "new"] });
  await put(service, "b", { zone: "z1", tags: ["hdd"] });
  await put(service, "c", { zone: "z2", tags: ["ssd"], weight: 0 });
  return service;
}

describe("a list with filters", () => {
  test.each([
    ["zone=z1", ["a", "b"]],
    ["tag=ssd", ["a", "c"]],
    ["tag=ssd&zone=z2", ["c"]],
    ["status=up", ["a", "b", "c"]],
    ["zone=nowhere", []],
  ])("by %s has those that match, and the ringId of all", async (query, expected) => {
    const service = await threeMembers();
    const filtered = await list(service, `?${query}`);
    expect(idsOf(filtered)).toEqual(expected);
    expect(filtered.body.ringId).toBe((await list(service)).body.ringId);
  });

  test("has pages as any other", async () => {
    const service = freshName();
    for (let i = 0; i < 9; i++) await put(service, `m${i}`, { zone: i % 2 === 0 ? "even" : "odd" });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await list(service, `?zone=even&limit=2${cursor === null ? "" : `&cursor=${cursor}`}`);
      expect(page.body.members.length).toBeLessThanOrEqual(2);
      expect(page.headers.has("etag")).toBe(cursor === null);
      seen.push(...idsOf(page));
      cursor = page.body.cursor;
    } while (cursor !== null);
    expect(seen).toEqual(["m0", "m2", "m4", "m6", "m8"]);
  });

  test.each([
    ["state=up", "state", "there is no such parameter; did you mean status?"],
    ["status=dead", "status", "must be"],
    ["zone=", "zone", "must be text of 1 to 64 characters"],
    [`tag=${"x".repeat(65)}`, "tag", "must be text of 1 to 64 characters"],
    ["tag=a&tag=b", "tag", "may be given once only"],
    ["waitMs=25001", "waitMs", "must be a whole number from 0 to 25000"],
    ["waitMs=100&cursor=x.a", "waitMs", "only the first page can be waited for"],
  ])("%s is refused, and %s named", async (query, field, detail) => {
    const { status, body } = await list("search", `?${query}`);
    expect([status, body.code, body.field]).toEqual([400, "invalid_request", field]);
    expect(body.detail).toContain(detail);
  });
});

describe("the ETag of a list", () => {
  test("is the same at every instance, and does not change with heartbeats", async () => {
    const service = await threeMembers();
    const before = await etagOf(service);
    await pair.one.call("POST", `/v1/services/${service}/members/a/heartbeat`);
    const other = await list(service, "", { "if-none-match": before }, pair.other);
    expect([other.status, other.headers.get("etag")]).toEqual([304, before]);
  });

  test.each([
    ["somebody joins", (service: string) => put(service, "d")],
    ["somebody leaves", (service: string) => leave(service, "b")],
    ["somebody registers again", (service: string) => put(service, "a", { zone: "z1" })],
  ])("changes when %s", async (_what, change) => {
    const service = await threeMembers();
    const before = await etagOf(service);
    await change(service);
    expect((await list(service, "", { "if-none-match": before })).status).toBe(200);
  });

  test("changes only with the members that were asked for", async () => {
    const service = await threeMembers();
    const [z1, z2] = [await etagOf(service, "?zone=z1"), await etagOf(service, "?zone=z2")];
    await leave(service, "c");
    expect(await etagOf(service, "?zone=z1")).toBe(z1);
    expect(await etagOf(service, "?zone=z2")).not.toBe(z2);
  });

  test("names the members of later pages as well", async () => {
    const service = await threeMembers();
    const before = await etagOf(service, "?limit=1");
    await put(service, "c", { tags: ["other"] });
    expect(await etagOf(service, "?limit=1")).not.toBe(before);
  });
});

describe("a blocking read", () => {
  test("is answered when another instance has changed what it asks for", async () => {
    const service = await threeMembers();
    const known = await etagOf(service, "?zone=z2");
    const waiting = list(service, "?zone=z2&waitMs=20000", { "if-none-match": known });
    await put(service, "d", { zone: "z1" }, pair.other);
    await put(service, "e", { zone: "z2" }, pair.other);
    const { status, body, headers } = await waiting;
    expect([status, idsOf({ body })]).toEqual([200, ["c", "e"]]);
    expect(headers.get("etag")).not.toBe(known);
  });

  test("is a 304 after waitMs, or up to a sixteenth before, when only others have changed", async () => {
    const service = await threeMembers();
    const known = await etagOf(service, "?zone=z2");
    const startedMs = performance.now();
    const waiting = list(service, "?zone=z2&waitMs=800", { "if-none-match": known });
    await put(service, "d", { zone: "z1" });
    expect((await waiting).status).toBe(304);
    expect(performance.now() - startedMs).toBeGreaterThan(750 - 1);
  });

  test("notices a member that has died", async () => {
    const service = freshName();
    await put(service, "mortal", { ttlMs: 1_000 });
    const known = await etagOf(service);
    const { status, body } = await list(service, "?waitMs=20000", { "if-none-match": known });
    expect([status, body.members]).toEqual([200, []]);
  });

  test("ends with shutting_down when its instance stops", async () => {
    await using stopping = await pair.instance();
    const service = await threeMembers();
    const known = await etagOf(service);
    const waiting = list(service, "?waitMs=20000", { "if-none-match": known }, stopping);
    await new Promise((resolve) => setTimeout(resolve, 300));
    stopping.service.stop();
    expect((await waiting).body.code).toBe("shutting_down");
  });
});
