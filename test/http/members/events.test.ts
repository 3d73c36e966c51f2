import { describe, expect, test } from "vitest";
import { type EventReader, readEvents } from "../../helpers/events.js";
import { Pair } from "../../helpers/pair.js";
import { freshName, until } from "../../helpers/service.js";

// Streams of what happens to the members of a service, at two instances on the same primaries.

const pair = new Pair();

const put = async (service: string, id: string, more: object = {}, at = pair.one) =>
  (await at.call("PUT", `/v1/services/${service}/members/${id}`, { address: "10.0.0.7:9000", ...more })).body;
const leave = (service: string, id: string, at = pair.one) =>
  at.call("DELETE", `/v1/services/${service}/members/${id}`);
const follow = async (service: string, at = pair.one, headers: Record<string, string> = {}, query = "") =>
  readEvents(`${await at.url()}/v1/services/${service}/events${query}`, headers);
const typesOf = (stream: EventReader) => stream.events().map(({ type }) => type);
const ofMembers = (stream: EventReader) =>
  stream.events().flatMap(({ type, data }) => (data.member ? [`${type} ${data.member.id}`] : []));
const idsOf = (stream: EventReader) => stream.events().flatMap(({ data }) => (data.id ? [data.id] : []));
const lastId = (stream: EventReader) => stream.events().findLast(({ id }) => id !== "")?.id ?? "";
const untilTold = (stream: EventReader, what: string) =>
  until(() => ofMembers(stream).includes(what), `${what} is told`);
const untilType = (stream: EventReader, type: string) =>
  until(() => typesOf(stream).includes(type), `${type} is told`);

describe("a stream of the members of a service", () => {
  test("begins with a snapshot and a mark where it ends, then tells what happens at any instance", async () => {
    const service = freshName("search");
    const first = await put(service, "a", { zone: "z1", tags: ["ssd"] });
    using stream = await follow(service);
    expect(stream.response.headers).toMatchObject({
      "content-type": "text/event-stream",
      "x-accel-buffering": "no",
    });
    await untilType(stream, "synced");
    expect(stream.events()).toMatchObject([
      {
        type: "member",
        id: "",
        data: {
          service,
          member: { id: "a", incarnation: first.incarnation, revision: 1, status: "up", zone: "z1" },
        },
      },
      { type: "synced", id: expect.stringMatching(/^\S{1,256}$/), data: { service, members: 1 } },
    ]);

    const second = await put(service, "b", {}, pair.other);
    await put(service, "a", { zone: "z2" }, pair.other);
    await leave(service, "b");
    await untilTold(stream, "left b");
    expect(ofMembers(stream)).toEqual(["member a", "joined b", "updated a", "left b"]);
    const joined = stream.events().find(({ type }) => type === "joined");
    expect(joined?.data).toEqual({
      id: `${service}/b/${second.incarnation}/1/joined`,
      service,
      member: {
        id: "b",
        incarnation: second.incarnation,
        revision: 1,
        status: "up",
        address: "10.0.0.7:9000",
        weight: 1,
        zone: null,
        tags: [],
        metadata: null,
      },
      why: "registered",
    });
  });

  test("of a service without members begins with the mark alone", async () => {
    using stream = await follow(freshName());
    await untilType(stream, "synced");
    expect(stream.events()).toMatchObject([{ type: "synced", data: { members: 0 } }]);
  });

  test("tells what is changed of a member, that it drains, and that it restarts", async () => {
    const service = freshName();
    await put(service, "a");
    using stream = await follow(service);
    await untilType(stream, "synced");
    const change = (body: object) => pair.other.call("PATCH", `/v1/services/${service}/members/a`, body);
    await change({ weight: 2, zone: "z9" });
    await untilTold(stream, "updated a");
    await change({ status: "draining" });
    await untilTold(stream, "draining a");
    const last = () => stream.events().findLast(({ data }) => data.member)?.data;
    expect(last()).toMatchObject({ member: { revision: 3, status: "draining", weight: 2, zone: "z9" } });
    expect(last().why).toContain("drains");
    await change({ status: "up" });
    await pair.one.call("DELETE", `/v1/services/${service}/members/a?restart=true`);
    await put(service, "a");
    await until(() => last().why.startsWith("registered again"), "it is back");
    expect(typesOf(stream)).not.toContain("left");
    expect(typesOf(stream)).not.toContain("joined");
  });

  test("tells once that a member has expired, at every instance, and to those who come back", async () => {
    const service = freshName();
    using stream = await follow(service);
    using other = await follow(service, pair.other);
    await Promise.all([untilType(stream, "synced"), untilType(other, "synced")]);
    const { incarnation } = await put(service, "mortal", { ttlMs: 1_000 });
    await untilTold(stream, "joined mortal");
    const id = lastId(stream);
    await Promise.all([untilTold(stream, "expired mortal"), untilTold(other, "expired mortal")]);
    const expired = (of: EventReader) => of.events().filter(({ type }) => type === "expired");
    expect(expired(stream)).toMatchObject([
      {
        data: {
          id: `${service}/mortal/${incarnation}/1/expired`,
          member: { id: "mortal", incarnation, status: "expired", address: "10.0.0.7:9000" },
          why: expect.stringContaining("no heartbeat"),
        },
      },
    ]);
    expect(expired(other).map(({ data }) => data)).toEqual(expired(stream).map(({ data }) => data));
    using back = await follow(service, pair.other, { "last-event-id": id });
    await untilTold(back, "expired mortal");
    expect(ofMembers(back)).toEqual(["expired mortal"]);
  });

  test("tells who becomes suspect, and who does not", async () => {
    const service = freshName();
    for (const id of ["a", "b", "c"]) await put(service, id);
    using stream = await follow(service);
    using other = await follow(service, pair.other);
    await Promise.all([untilType(stream, "synced"), untilType(other, "synced")]);
    for (const reporter of ["b", "c"])
      await pair.one.call("POST", `/v1/services/${service}/members/a/suspect`, {
        reporter,
        reason: "no answer",
      });
    await Promise.all([untilTold(stream, "suspect a"), untilTold(other, "suspect a")]);
    const told = (of: EventReader) => of.events().find(({ type }) => type === "suspect");
    expect(told(stream)).toEqual(told(other));
    expect(told(stream)).toMatchObject({
      id: "",
      data: { member: { id: "a", status: "suspect" }, why: "reported by b (no answer), c (no answer)" },
    });

    // Whoever comes later finds it in the snapshot, and whoever comes back in the bookmark.
    using later = await follow(service);
    await untilType(later, "synced");
    expect(later.events()[0]?.data.member).toMatchObject({ id: "a", status: "suspect" });
    using back = await follow(service, pair.other, { "last-event-id": lastId(stream) });
    await untilType(back, "bookmark");
    expect(back.events().at(-1)?.data).toEqual({
      service,
      suspects: ["a"],
      ringId: expect.stringMatching(/^[0-9a-f]{16}$/),
    });

    await put(service, "a");
    await untilTold(stream, "updated a");
    expect(stream.events().findLast(({ data }) => data.member)?.data.member.status).toBe("up");
  });

  test("names the latest ring, without an id", async () => {
    const service = freshName();
    await put(service, "a");
    using stream = await follow(service);
    await untilType(stream, "synced");
    await put(service, "b");
    await until(() => stream.events().at(-1)?.type === "ring-changed", "the ring is named");
    const { ringId } = (await pair.one.call("GET", `/v1/services/${service}/members`)).body;
    expect(stream.events().at(-1)).toEqual({ type: "ring-changed", id: "", data: { service, ringId } });
  });

  test("tells the same ids at every instance", async () => {
    const service = freshName();
    using one = await follow(service);
    using other = await follow(service, pair.other);
    await Promise.all([untilType(one, "synced"), untilType(other, "synced")]);
    for (const id of ["a", "b", "c"]) await put(service, id);
    await put(service, "a");
    await leave(service, "b");
    await Promise.all([untilTold(one, "left b"), untilTold(other, "left b")]);
    expect(new Set(idsOf(one))).toEqual(new Set(idsOf(other)));
    expect(idsOf(one)).toHaveLength(5);
  });

  test("belongs to its namespace, and names the service as its readers do", async () => {
    const service = freshName();
    const team = `/v1/namespaces/team-a/services/${service}`;
    using ofTeam = await readEvents(`${await pair.one.url()}${team}/events`);
    using plain = await follow(service);
    await Promise.all([untilType(ofTeam, "synced"), untilType(plain, "synced")]);
    await pair.one.call("PUT", `${team}/members/a`, { address: "x:1" });
    await untilTold(ofTeam, "joined a");
    expect(ofTeam.events().find(({ type }) => type === "joined")?.data.service).toBe(service);
    expect(ofMembers(plain)).toEqual([]);
  });
});

describe("a stream that is resumed", () => {
  test.each(["header", "query"])(
    "at another instance, by the %s, tells what was missed and no more",
    async (by) => {
      const service = freshName();
      await put(service, "a");
      const first = await follow(service);
      await untilType(first, "synced");
      await put(service, "b");
      await untilTold(first, "joined b");
      const id = lastId(first);
      first.cut();
      await put(service, "c");
      await leave(service, "a");
      using again =
        by === "header"
          ? await follow(service, pair.other, { "last-event-id": id })
          : await follow(service, pair.other, {}, `?lastEventId=${encodeURIComponent(id)}`);
      await untilType(again, "bookmark");
      expect(ofMembers(again).toSorted()).toEqual(["joined c", "left a"]);
      await put(service, "d");
      await untilTold(again, "joined d");
      expect(typesOf(again)).not.toContain("member");
      expect(typesOf(again)).not.toContain("reset");
    },
  );

  test("goes on from the mark of its snapshot, also where nothing had ever happened", async () => {
    const service = freshName();
    const first = await follow(service);
    await untilType(first, "synced");
    const id = lastId(first);
    first.cut();
    await put(service, "a");
    using again = await follow(service, pair.other, { "last-event-id": id });
    await untilTold(again, "joined a");
    expect(typesOf(again)).not.toContain("reset");
  });

  test.each(["nonsense", "AAAAAAAA0.0", "none"])("from %s gets a reset and a snapshot", async (id) => {
    const service = freshName();
    await put(service, "a");
    using stream = await follow(service, pair.one, { "last-event-id": id });
    await untilType(stream, "synced");
    expect(typesOf(stream)).toEqual(["reset", "member", "synced"]);
    expect(stream.events()[0]).toMatchObject({ id: "", data: { service, why: expect.any(String) } });
  });

  test("from an id of another service gets a reset and a snapshot", async () => {
    const [service, other] = [freshName(), freshName()];
    await put(service, "a");
    await put(other, "b");
    using ofOther = await follow(other);
    await untilType(ofOther, "synced");
    using stream = await follow(service, pair.one, { "last-event-id": lastId(ofOther) });
    await untilType(stream, "synced");
    expect(typesOf(stream)).toEqual(["reset", "member", "synced"]);
  });

  test("from an id with more than 256 characters is refused", async () => {
    const { status, body } = await pair.one.call("GET", "/v1/services/s/events", undefined, {
      "last-event-id": "x".repeat(257),
    });
    expect([status, body.field]).toEqual([400, "last-event-id"]);
  });

  test("misses nothing, however often and wherever it is resumed while members come and go", async () => {
    const service = freshName();
    let stream = await follow(service);
    await untilType(stream, "synced");
    let id = lastId(stream);
    const seen: string[] = [];
    const expected: string[] = [];
    const changing = (async () => {
      for (let i = 0; i < 40; i++) {
        const { incarnation } = await put(service, `m${i % 7}`, {}, pair.at(i));
        expected.push(`m${i % 7}/${incarnation}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();
    const told = () =>
      stream
        .events()
        .flatMap(({ data }) => (data.member ? [`${data.member.id}/${data.member.incarnation}`] : []));
    for (let i = 0; i < 6; i++) {
      await new Promise((resolve) => setTimeout(resolve, 120));
      // What has no id behind it may come again.
      id = lastId(stream) || id;
      seen.push(...told());
      stream.cut();
      stream = await follow(service, pair.at(i + 1), { "last-event-id": id });
    }
    await changing;
    await until(() => expected.every((each) => seen.includes(each) || told().includes(each)), "all are told");
    expect(typesOf(stream)).not.toContain("reset");
    stream.cut();
  });
});

describe("a stream ends", () => {
  test("when its instance stops", async () => {
    await using stopping = await pair.instance();
    using stream = await follow(freshName(), stopping);
    await untilType(stream, "synced");
    stopping.service.stop();
    await until(stream.ended, "the stream has ended");
  });

  test("and nothing is read any more once nobody watches", async () => {
    await using alone = await pair.instance();
    const stream = await follow(freshName(), alone);
    await untilType(stream, "synced");
    expect(alone.service.memberEvents.feeds).toBe(1);
    stream.cut();
    await until(() => alone.service.memberEvents.feeds === 0, "the feed has ended", 15_000);
  });
});
