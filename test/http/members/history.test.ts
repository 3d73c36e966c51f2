import { describe, expect, test } from "vitest";
import { Pair } from "../../helpers/pair.js";
import { freshName, until } from "../../helpers/service.js";

// What happened to single members, told by either of two instances on the same primaries.

const pair = new Pair();

const path = (service: string, id = "a") => `/v1/services/${service}/members/${id}`;
const put = (service: string, more: object = {}, id = "a") =>
  pair.one.call("PUT", path(service, id), { address: "10.0.0.7:9000", ...more });
interface Told {
  readonly atMs: number;
  readonly event: string;
  readonly why: string;
  readonly incarnation: number;
  readonly revision: number;
  readonly status: string;
}
const historyOf = async (service: string, id = "a", at = pair.other): Promise<Told[]> =>
  (await at.call("GET", `${path(service, id)}/history`)).body.history;
const brief = (history: readonly Told[]) =>
  history.map(({ event, why, status }) => `${event} (${why}): ${status}`);

describe("the history of a member", () => {
  test("says what happened, when and why, also after it has left", async () => {
    const service = freshName();
    const startedAt = Date.now();
    const { body: first } = await put(service);
    await put(service, {}, "another");
    await pair.one.call("PATCH", path(service), { weight: 2 });
    const { body: second } = await put(service);
    await pair.one.call("PATCH", path(service), { status: "draining" });
    await pair.one.call("DELETE", path(service));
    const history = await historyOf(service);
    expect(brief(history)).toEqual([
      "joined (registered): up",
      expect.stringMatching(/^updated \(.+\): up$/),
      "updated (registered again, with a new incarnation): up",
      expect.stringMatching(/^draining \(.+\): draining$/),
      "left (left): left",
    ]);
    expect(history.map(({ incarnation }) => incarnation)).toEqual([
      first.incarnation,
      first.incarnation,
      second.incarnation,
      second.incarnation,
      second.incarnation,
    ]);
    for (const { atMs } of history) expect(Math.abs(atMs - startedAt)).toBeLessThan(60_000);
  });

  test("says why one has expired, and that it came back", async () => {
    const service = freshName();
    await put(service, { ttlMs: 1_000 });
    await until(async () => (await historyOf(service)).length === 2, "its end is told");
    await put(service);
    expect(brief(await historyOf(service))).toEqual([
      "joined (registered): up",
      "expired (no heartbeat for its time to live): expired",
      "joined (registered): up",
    ]);
  });

  test("is empty where nothing is known", async () => {
    expect(await historyOf(freshName())).toEqual([]);
  });
});
