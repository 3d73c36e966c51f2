import { describe, expect, test } from "vitest";
import { Pair } from "../../helpers/pair.js";
import { until } from "../../helpers/service.js";

const pair = new Pair();
const base = "/v1/namespaces/listing/transactions";
const begin = async (deadlineMs = 60_000): Promise<string> => {
  const { body } = await pair.one.call("POST", base, { participants: ["a"], deadlineMs, payload: { n: 1 } });
  return body.id;
};
const listed = async (query = "") => {
  const ids: string[] = [];
  let cursor: string | null = null;
  do {
    const next: string = cursor === null ? "" : `&cursor=${cursor}`;
    const { status, body } = await pair.other.call("GET", `${base}?state=active${query}${next}`);
    expect(status).toBe(200);
    ids.push(...body.transactions.map(({ id }: { id: string }) => id));
    cursor = body.cursor;
  } while (cursor !== null);
  return ids;
};

describe("the list of transactions", () => {
  test("has those that are not decided, in the order in which they were made, page by page", async () => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push(await begin());
    const decided = ids[2] as string;
    await pair.one.call("POST", `${base}/${decided}/vote`, { participant: "a", vote: "yes" });
    const left = ids.filter((id) => id !== decided);
    expect(await listed()).toEqual(left);
    expect(await listed("&limit=2")).toEqual(left);
    const { body } = await pair.other.call("GET", `${base}?state=active`);
    const alone = (await pair.other.call("GET", `${base}/${left[0]}`)).body;
    const { deadlineInMs, ...first } = body.transactions[0];
    expect(alone).toMatchObject(first);
    expect(deadlineInMs).toBeGreaterThan(30_000);
    expect(
      (await pair.one.call("GET", "/v1/transactions?state=active&limit=1000")).body.transactions,
    ).toEqual([]);
  });

  test("deletes none whose deadline has passed: it is aborted, and remembered", async () => {
    const id = await begin(100);
    await until(async () => !(await listed()).includes(id), "it is decided");
    expect((await pair.other.call("GET", `${base}/${id}`)).body).toMatchObject({ state: "aborted" });
  });

  test.each(["", "?state=ended", "?state=active&limit=1001", "?state=active&cursor=~"])(
    "is refused with the query %j",
    async (query) => {
      const { status, body } = await pair.one.call("GET", base + query);
      expect([status, body.code]).toEqual([400, "invalid_request"]);
    },
  );
});
