import { describe, expect, test, vi } from "vitest";
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
    ["status=left", "status", "left and expired only with includeGone=true"],
    ["includeGone=yes", "includeGone", "must be true or false"],
    ["waitMs=100&cursor=x.a", "waitMs", "only the first page can be waited for"],
  ])("%s is refused, and %s named", async (query, field, detail) => {
    const { status, body } = await list("search", `?${query}`);
    expect([status, body.code, body.field]).toEqual([400, "invalid_request", field]);
    expect(body.detail).toContain(detail);
  });
});

describe("a list with those that are gone", () => {
  const goneOf = ({ body }: { body: { gone: { id: string; status: string }[] } }) =>
    body.gone.map(({ id, status }) => `${id} ${status}`);

  /** Of a service in which a lives, b left, c expired and d has drained. */
  async function oneOfFour(): Promise<string> {
    const service = freshName("fleet");
    const zone = { zone: "z1", tags: ["ssd"] };
    await put(service, "c", { ...zone, ttlMs: 1_000, metadata: { build: "7f" } });
    for (const id of ["a", "b", "d"]) await put(service, id, id === "b" ? {} : zone);
    await pair.one.call("PATCH", `/v1/services/${service}/members/d`, { status: "draining", drainMs: 900 });
    await leave(service, "b");
    await vi.waitFor(
      async () => expect(goneOf(await list(service, "?includeGone=true"))).toHaveLength(3),
      5_000,
    );
    return service;
  }

  test("says of each what it was, why it is gone, and since when", async () => {
    const service = await oneOfFour();
    const found = await list(service, "?includeGone=true", {}, pair.other);
    expect([idsOf(found), goneOf(found)]).toEqual([["a"], ["b left", "c expired", "d left"]]);
    expect(found.body.gone[1]).toEqual({
      id: "c",
      status: "expired",
      incarnation: expect.any(Number),
      revision: 1,
      address: "10.0.0.7:9000",
      zone: "z1",
      tags: ["ssd"],
      metadata: { build: "7f" },
      why: "no heartbeat for its time to live",
      goneForMs: expect.any(Number),
      forgottenInMs: expect.any(Number),
    });
    for (const { goneForMs, forgottenInMs } of found.body.gone) {
      expect(goneForMs).toBeLessThan(30_000);
      expect(forgottenInMs).toBeGreaterThan(25_000);
    }
    expect(found.body.gone.map(({ why }: { why: string }) => why)).toMatchObject({
      0: "left",
      2: "it has drained",
    });
    expect((await list(service)).body).not.toHaveProperty("gone");
    expect((await list(service)).body.ringId).toBe(found.body.ringId);
  });

  test.each([
    ["status=expired", [], ["c expired"]],
    ["status=left", [], ["b left", "d left"]],
    ["status=up", ["a"], []],
    ["zone=z1", ["a"], ["c expired", "d left"]],
    ["tag=ssd&status=left", [], ["d left"]],
  ])("by %s has those that match", async (query, ids, gone) => {
    const found = await list(await oneOfFour(), `?includeGone=true&${query}`);
    expect([idsOf(found), goneOf(found)]).toEqual([ids, gone]);
  });

  test("has pages in which both count", async () => {
    const service = await oneOfFour();
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await list(
        service,
        `?includeGone=true&limit=2${cursor === null ? "" : `&cursor=${cursor}`}`,
      );
      expect(page.body.members.length + page.body.gone.length).toBeLessThanOrEqual(2);
      seen.push(...idsOf(page), ...page.body.gone.map(({ id }: { id: string }) => id));
      cursor = page.body.cursor;
    } while (cursor !== null);
    expect(seen).toEqual(["a", "b", "c", "d"]);
  });

  test("has an ETag that changes with them, which that of the others does not", async () => {
    const service = await threeMembers();
    await leave(service, "c");
    const query = "?zone=z2&includeGone=true";
    const [live, all] = [await etagOf(service, "?zone=z2"), await etagOf(service, query)];
    await put(service, "c", { zone: "z2" });
    await leave(service, "c");
    expect(await etagOf(service, "?zone=z2")).toBe(live);
    expect(await etagOf(service, query)).not.toBe(all);
    expect(await etagOf(service, `${query}&limit=1`)).toBe(await etagOf(service, query));
  });

  test("is waited for", async () => {
    const service = await threeMembers();
    const query = "?status=left&includeGone=true";
    const known = await etagOf(service, query);
    const waiting = list(service, `${query}&waitMs=20000`, { "if-none-match": known }, pair.other);
    await put(service, "d");
    await leave(service, "b");
    expect(goneOf(await waiting)).toEqual(["b left"]);
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
