import { describe, expect, test } from "vitest";
import { Quorate } from "../../src/client/quorate.js";
import { settled } from "../helpers/fake-clock.js";
import { FakeService, FakeStream, problem, type Received, type Reply } from "./fake-service.js";

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

describe("where fetch reads no streams", () => {
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
    expect(service.paths.slice(0, 3)).toEqual([
      `${list}waitMs=0`,
      `${list}cursor=x.b`,
      `${list}waitMs=20000`,
    ]);
    stop.abort(new Error("enough"));
    expect(await ended).toMatchObject({ message: "enough" });
  });

  test("a watcher goes on when an instance fails in the middle of a list", async () => {
    const { service, seen, stop } = watching(async ({ path, atMs }) => {
      if (path.includes("cursor="))
        return atMs < 15_000 ? problem(503, "no_quorum") : page("r1", ["c"], null);
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
});

const member = (id: string, more: object = {}) => ({
  id,
  incarnation: 1,
  revision: 1,
  status: "up",
  address: `${id}:1`,
  weight: 1,
  zone: "eu",
  tags: ["ssd"],
  metadata: null,
  ...more,
});
let places = 0;
const what = (id: string, kind: string, more: object = {}, why = kind) => ({
  id: `search/${id}/1/${JSON.stringify(more).replaceAll("/", "")}/${kind}${kind === "suspect" ? "/episode" : ""}`,
  service: "search",
  member: member(id, more),
  why,
});
/** A stream that has told of these members. */
function synced(ids: readonly string[], ringId = "r1"): FakeStream {
  const stream = new FakeStream("retry: 1000\n\n");
  for (const id of ids) stream.event("member", what(id, "joined"));
  return stream.event("synced", { service: "search", members: ids.length, ringId }, `p${++places}`);
}

/** What a watcher sees of instances whose streams these are, one after the other. */
function streaming(
  streams: readonly (Reply | FakeStream)[],
  filter: object = {},
  urls = ["http://a", "http://b"],
) {
  let next = 0;
  const service = new FakeService(() => streams[next++]);
  const quorate = new Quorate({ urls }, { ...service.world, streams: true });
  const stop = new AbortController();
  const seen: string[] = [];
  const reading = quorate.watch("search", { ...filter, signal: stop.signal });
  const ended = (async () => {
    for await (const { members, ringId, events } of reading) {
      const told = events.map(({ event, member: { id }, why }) => `${event} ${id} (${why})`);
      seen.push([ringId, members.map(({ id, status }) => `${id} ${status}`).join(), ...told].join("; "));
    }
  })().catch((error) => error);
  const { clock } = service;
  const told = async (from = 0) => {
    await clock.advance(1);
    return seen.slice(from);
  };
  const instances = () => service.received.map(({ instance }) => instance.at(-1));
  const positions = () => service.received.map(({ headers }) => headers.get("last-event-id"));
  return { service, clock, seen, stop, ended, told, instances, positions };
}

describe("by the events of a service, a watcher", () => {
  test("sees its members, then whatever happens to one, and why", async () => {
    const stream = synced(["b", "a"]);
    const { told, service } = streaming([stream]);
    expect(await told()).toEqual(["r1; a up,b up"]);
    stream
      .event("joined", what("c", "joined"), "p8")
      .event("ring-changed", { service: "search", ringId: "r2" })
      .event("suspect", what("a", "suspect", { status: "suspect" }, "reported by b, c"));
    stream.event("left", what("b", "left", { status: "left" }, "it has drained"), "p9");
    expect(await told(1)).toEqual([
      "r1; a up,b up,c up; joined c (joined)",
      "r2; a up,b up,c up",
      "r2; a suspect,b up,c up; suspect a (reported by b, c)",
      "r2; a suspect,c up; left b (it has drained)",
    ]);
    expect(service.paths).toEqual(["/services/search/events"]);
  });

  test("gets what comes together as one list, however it is cut into parts", async () => {
    const stream = synced([]);
    const { told } = streaming([stream]);
    const text = `: keep-alive\n\nevent: joined\nid: p1\ndata: ${JSON.stringify(what("é", "joined"))}\n\n`;
    const more = text.replaceAll("é", "f").replace("p1", "p2");
    stream.send(text.slice(0, 70)).send(text.slice(70) + more);
    expect(await told(1)).toEqual([
      "r1; f up,é up; joined é (joined),joined f (joined)".replace(",joined f", "; joined f"),
    ]);
  });

  test("is told of those that match: that they come, change, and match no more", async () => {
    const stream = synced(["a"]);
    const { told } = streaming([stream], { zone: "eu", status: "up", tag: "ssd" });
    stream
      .event("joined", what("far", "joined", { zone: "us" }))
      .event("ring-changed", { service: "search", ringId: "r2" })
      .event("draining", what("a", "draining", { status: "draining", revision: 2 }))
      .event("updated", what("a", "updated", { zone: "us", revision: 3 }))
      .event("expired", what("far", "expired", { zone: "us" }));
    expect(await told()).toEqual(["r1; a up", "r2; ; draining a (draining)"]);
  });

  test("goes on at another instance from where it was when one breaks off, and what comes twice is told once", async () => {
    const first = synced(["a"]);
    const twice = what("b", "joined");
    const second = new FakeStream()
      .event("joined", twice)
      .event("joined", what("c", "joined"))
      .event("bookmark", { service: "search", suspects: [], ringId: "r3" }, "p200");
    const third = new FakeStream().event("left", what("c", "left"), "p201");
    const { told, clock, positions } = streaming([first, second, third]);
    first.event("joined", twice, "p100").break();
    await clock.advance(600);
    expect(first.isCancelled).toBe(true);
    second.end();
    await clock.advance(1_200);
    expect(await told(1)).toEqual([
      "r1; a up,b up; joined b (joined)",
      "r1; a up,b up,c up; joined c (joined)",
      "r3; a up,b up,c up",
      "r3; a up,b up; left c (left)",
    ]);
    expect(positions()).toEqual([null, "p100", "p200"]);
  });

  test("asks the next instance when one does not answer, and pauses longer and longer when streams end at once", async () => {
    const none = () => synced(["a"]).end();
    const { service, clock, instances } = streaming([
      new TypeError("refused"),
      none(),
      none(),
      none(),
      none(),
      none(),
    ]);
    await clock.advance(7_000);
    expect(instances()).toEqual(["b", "a", "a", "a", "a", "a"]);
    const at = service.received.map(({ atMs }) => atMs);
    expect(at.slice(1)).toEqual([0, 250, 750, 1_750, 3_750]);
  });

  test("takes an instance that falls silent for one that is away", async () => {
    const [first, second] = [synced(["a"]), synced(["a", "b"])];
    const { told, clock, positions } = streaming([first, second]);
    for (let beats = 0; beats < 6; beats++) {
      await clock.advance(15_000);
      first.send(": keep-alive\n\n");
    }
    expect(positions()).toHaveLength(1);
    await clock.advance(26_000);
    expect(positions()).toHaveLength(2);
    expect(first.isCancelled).toBe(true);
    expect(await told(1)).toEqual(["r1; a up,b up"]);
  });

  test("begins anew where its place is not known any more, without a mixture", async () => {
    const first = synced(["a", "b"]);
    const { told } = streaming([first]);
    first.event("reset", { service: "search", why: "too old" }).event("member", what("c", "joined"));
    first.event("joined", what("d", "joined"), "px");
    first.event("synced", { service: "search", members: 1, ringId: "r9" }, "py");
    expect(await told(1)).toEqual(["r1; a up,b up,d up; joined d (joined)", "r9; c up"]);
  });

  test("forgets a snapshot that was broken off", async () => {
    const first = new FakeStream().event("member", what("gone", "joined")).break();
    const { told, clock, positions } = streaming([first, synced(["a"])]);
    await clock.advance(600);
    expect(await told()).toEqual(["r1; a up"]);
    expect(positions()).toEqual([null, null]);
  });

  test("learns from a bookmark who has become suspect, and who is not any more", async () => {
    const first = synced(["a", "b"]);
    const { told } = streaming([first]);
    const suspect = what("a", "suspect", { status: "suspect" });
    for (const told of [suspect, { ...suspect, member: member("a") }, suspect]) first.event("suspect", told);
    first.event("bookmark", { service: "search", suspects: ["b"], ringId: "r1" }, "p50");
    expect((await told(1)).map((list) => list.slice(4, 15))).toEqual([
      "a suspect,b",
      "a up,b up; ",
      "a suspect,b",
      "a up,b susp",
    ]);
    expect((await told(4))[0]).toBe("r1; a up,b suspect; updated a (); suspect b ()");
  });

  test("reads lists where a proxy holds the stream back", async () => {
    const streams: (Reply | FakeStream)[] = [new FakeStream(), page("r7", ["a"], null, '"1"')];
    const { service, clock, seen } = streaming(streams);
    await clock.advance(26_000);
    expect(seen).toEqual(["r7; a undefined"]);
    expect(service.paths.slice(0, 2)).toEqual([
      "/services/search/events",
      "/services/search/members?waitMs=0",
    ]);
  });

  test("ends with the signal, and closes its stream", async () => {
    const stream = synced(["a"]);
    const { told, stop, ended, clock } = streaming([stream]);
    await told();
    stop.abort(new Error("enough"));
    expect(await ended).toMatchObject({ message: "enough" });
    await settled();
    expect(stream.isCancelled).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test("that reads no further closes its stream", async () => {
    const stream = synced(["a"]);
    const service = new FakeService(() => stream);
    const quorate = new Quorate({ urls: ["http://a"] }, { ...service.world, streams: true });
    for await (const { members } of quorate.watch("search")) if (members.length === 1) break;
    expect(stream.isCancelled).toBe(true);
    expect(service.clock.pending).toBe(0);
  });

  test("that may not look is told so, and so is one of a server that is none", async () => {
    const { ended, told } = streaming([problem(403, "forbidden")], {}, ["http://a"]);
    await told();
    expect(await ended).toMatchObject({ code: "forbidden" });
    const other = streaming([{ status: 200, body: { hello: "world" } }], {}, ["http://a"]);
    await other.told();
    expect(await other.ended).toMatchObject({ code: "unexpected_answer" });
  });
});
