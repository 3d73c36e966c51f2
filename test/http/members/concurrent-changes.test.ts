import { describe, expect, test } from "vitest";
import { Pair } from "../../helpers/pair.js";
import { freshName } from "../../helpers/service.js";

// Two instances of the service on the same three primaries: neither knows of the other.
const pair = new Pair();
const at = (i: number) => pair.at(i);
const path = (service: string) => `/v1/services/${service}/members/m`;
const register = (i: number, service: string) => at(i).call("PUT", path(service), { address: "m:1" });
const patch = (i: number, service: string, body: object, headers = {}) =>
  at(i).call("PATCH", path(service), body, headers);
const get = (i: number, service: string) => at(i).call("GET", path(service));
const many = <T>(count: number, each: (i: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, i) => each(i)));

describe("changes of one member at the same moment, at several instances", () => {
  test("from one revision: with If-Match one of them is made, and the others are told so", async () => {
    for (let round = 0; round < 10; round++) {
      const service = freshName();
      const ifMatch = (await register(0, service)).headers.get("etag") as string;
      const answers = await many(6, (i) => patch(i, service, { weight: i + 2 }, { "if-match": ifMatch }));
      const made = answers.filter(({ status }) => status === 200);
      const codes = answers.filter(({ status }) => status !== 200).map(({ body }) => body.code);
      expect(made).toHaveLength(1);
      expect([...new Set(codes)]).toEqual(["version_mismatch"]);
      for (let i = 0; i < 2; i++) expect((await get(i, service)).body.weight).toBe(made[0]?.body.weight);
    }
  });

  test("of different fields: none is lost, and each has a revision of its own", async () => {
    for (let round = 0; round < 10; round++) {
      const service = freshName();
      await register(0, service);
      const said = [{ weight: 7 }, { zone: "eu-1a" }, { tags: ["x"] }, { status: "draining" }];
      const answers = await many(said.length, (i) => patch(i, service, said[i] as object));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect(new Set(answers.map(({ body }) => body.revision)).size).toBe(said.length);
      const { body } = await get(round, service);
      expect(body).toMatchObject({ weight: 7, zone: "eu-1a", tags: ["x"], status: "draining" });
      expect(body.revision).toBe(Math.max(...answers.map((answer) => answer.body.revision)));
    }
  });

  test("are all made, however many: each waits for its turn", async () => {
    const service = freshName();
    await register(0, service);
    const answers = await many(40, (i) => patch(i, service, { weight: i }));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(new Set(answers.map(({ body }) => body.revision)).size).toBe(40);
    const ifMatch = answers.find(({ body }) => body.revision > 40)?.headers.get("etag") as string;
    const others = await many(40, (i) => patch(i, service, { weight: i }, { "if-match": ifMatch }));
    expect(others.filter(({ status }) => status === 200).length).toBe(1);
    expect(others.filter(({ status }) => status === 412).length).toBe(39);
  });

  test("are too many beyond those that may wait, which is said with a time to try again", async () => {
    const service = freshName();
    await register(0, service);
    const answers = await many(80, (i) => patch(0, service, { weight: i }));
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThanOrEqual(80 - 65);
    for (const { status, body } of refused)
      expect([status, body.code, body.retryAfterMs]).toEqual([503, "overloaded", 200]);
  });

  test("and a leave: it is gone, whatever came first", async () => {
    for (let round = 0; round < 10; round++) {
      const service = freshName();
      await register(0, service);
      const [left, ...changes] = await Promise.all([
        at(0).call("DELETE", path(service)),
        ...[1, 2, 3].map((i) => patch(i, service, { weight: i })),
      ]);
      expect(left.body).toEqual({ left: true });
      for (const { status } of changes) expect([200, 404]).toContain(status);
      for (let i = 0; i < 2; i++) expect((await get(i, service)).status).toBe(404);
    }
  });
});

test("registrations of one member at the same moment never share an incarnation", async () => {
  for (let round = 0; round < 10; round++) {
    const service = freshName();
    const answers = await many(4, (i) => register(i, service));
    const made = answers.filter(({ status }) => status < 300);
    expect(made.length).toBeGreaterThan(0);
    expect(new Set(made.map(({ body }) => body.incarnation)).size).toBe(made.length);
    const newest = Math.max(...made.map(({ body }) => body.incarnation));
    for (let i = 0; i < 2; i++) expect((await get(i, service)).body.incarnation).toBe(newest);
  }
});
