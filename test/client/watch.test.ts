import { expect, test } from "vitest";
import { Quorate } from "../../src/client/quorate.js";
import { settled } from "../helpers/fake-clock.js";
import { FakeService, problem, type Received, type Reply } from "./fake-service.js";

/** What a watcher sees of instances that answer like this. */
function watching(reply: (request: Received) => Reply | Promise<Reply>) {
  const service = new FakeService(reply);
  const quorate = new Quorate({ urls: ["http://a"] }, service.world);
  const stop = new AbortController();
  const seen: string[] = [];
  const ended = (async () => {
    for await (const { members, ringId } of quorate.watch("search", { zone: "eu 1", signal: stop.signal }))
      seen.push(`${ringId}: ${members.map(({ id }) => id).join()}`);
  })().catch((error) => error);
  return { service, seen, stop, ended };
}

const page = (ringId: string, ids: string[], cursor: string | null, etag?: string): Reply => ({
  status: 200,
  body: { members: ids.map((id) => ({ id })), ringId, cursor },
  headers: etag ? { etag } : {},
});

test("the members of all pages are seen, now and whenever they have changed", async () => {
  const { service, seen, stop, ended } = watching(async ({ path, headers }) => {
    if (path.includes("cursor=")) return page("r1", ["c"], null);
    if (headers.get("if-none-match") === null) return page("r1", ["a", "b"], "x.b", '"1"');
    if (headers.get("if-none-match") === '"1"') return page("r2", ["a"], null, '"2"');
    await service.clock.sleep(20_000);
    return { status: 304 };
  });
  await service.clock.advance(30_000);
  expect(seen).toEqual(["r1: a,b,c", "r2: a"]);
  const list = "/services/search/members?zone=eu%201&";
  expect(service.paths.slice(0, 3)).toEqual([`${list}waitMs=0`, `${list}cursor=x.b`, `${list}waitMs=20000`]);
  stop.abort(new Error("enough"));
  expect(await ended).toMatchObject({ message: "enough" });
});

test("a watcher goes on when an instance fails in the middle of a list", async () => {
  const { service, seen, stop } = watching(async ({ path, atMs }) => {
    if (path.includes("cursor=")) return atMs < 15_000 ? problem(503, "no_quorum") : page("r1", ["c"], null);
    if (path.endsWith("waitMs=0")) return page("r1", ["a"], "x.a", '"1"');
    await service.clock.sleep(20_000);
    return { status: 304 };
  });
  await service.clock.advance(40_000);
  expect(seen).toEqual(["r1: a,c"]);
  stop.abort();
  await settled();
});

test("a watcher that may not look is told so", async () => {
  const { service, ended } = watching(() => problem(403, "forbidden"));
  await service.clock.advance(100);
  expect(await ended).toMatchObject({ code: "forbidden" });
});
