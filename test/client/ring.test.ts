import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { Quorate } from "../../src/client/quorate.js";
import { Pair } from "../helpers/pair.js";
import { freshName } from "../helpers/service.js";
import { FakeService, problem } from "./fake-service.js";

interface Vectors {
  rings: {
    name: string;
    members: { id: string; weight: number; zone?: string }[];
    ringId: string;
    replicaCount: number;
    keys: { key: string; owner: string | null; replicas: string[] }[];
  }[];
}

const VECTORS = new URL("../algorithms/ring-v1-vectors.json", import.meta.url);
const { rings } = JSON.parse(readFileSync(VECTORS, "utf8")) as Vectors;
// Members of the API have ids of these.
const ofApi = rings.filter(({ members }) =>
  members.every(({ id }) => /^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(id)),
);

const page = (members: readonly object[], ringId: string, cursor: string | null = null) => ({
  status: 200,
  body: { members, ringId, cursor },
});

const opened = (service: FakeService) => new Quorate({ urls: ["http://a"] }, service.world).ring("search");

describe("a ring", () => {
  test("has the owners and replicas of the published vectors", async () => {
    expect(ofApi.length).toBeGreaterThan(5);
    for (const { name, members, ringId, replicaCount, keys } of ofApi) {
      const all = members.map((member) => ({ zone: null, ...member }));
      using ring = await opened(new FakeService(() => page(all, ringId)));
      for (const { key, owner, replicas } of keys) {
        expect([ring.owner(key)?.id ?? null, name]).toEqual([owner, name]);
        expect([ring.replicas(key, replicaCount).map(({ id }) => id), name]).toEqual([replicas, name]);
      }
    }
  });

  test("is read in pages, and anew where it changes between two", async () => {
    const member = (id: string) => ({ id, weight: 1, zone: null });
    const service: FakeService = new FakeService(({ path }) => {
      const cursor = new URL(path, "http://a").searchParams.get("cursor");
      const ringId = service.received.length < 3 ? `mixed-${service.received.length}` : "settled";
      if (cursor === null) return page([member("a")], ringId, "x.a");
      return page([member("b")], ringId);
    });
    using ring = await opened(service);
    expect(ring.members.map(({ id }) => id)).toEqual(["a", "b"]);
    expect([ring.ringId, service.received.length]).toEqual(["settled", 4]);
  });

  test("is read again and again; what it knows gets old while nobody answers", async () => {
    const service: FakeService = new FakeService(({ atMs }) => {
      if (atMs < 3_000) return page([{ id: "a", weight: 1, zone: null }], "one");
      if (atMs < 60_000) return problem(503, "no_quorum");
      return page([{ id: "b", weight: 1, zone: null }], "two");
    });
    const ring = await opened(service);
    expect(ring.owner("user:42")?.id).toBe("a");
    await service.clock.advance(59_000);
    expect([ring.owner("user:42")?.id, ring.ageMs()]).toEqual(["a", 57_000]);
    await service.clock.advance(15_000);
    expect([ring.owner("user:42")?.id, ring.ageMs() < 2_500]).toEqual(["b", true]);
    ring.close();
    expect(service.clock.pending).toBe(0);
  });

  test("has no place for members that drain, and one for those that are suspect", async () => {
    const members = ["up", "draining", "suspect"].map((status) => ({
      id: status,
      status,
      weight: 1,
      zone: null,
    }));
    using ring = await opened(new FakeService(() => page(members, "one")));
    expect(ring.members).toHaveLength(3);
    const owners = Array.from({ length: 100 }, (_, i) => ring.owner(`key-${i}`)?.id);
    expect([...new Set(owners)].sort()).toEqual(["suspect", "up"]);
  });

  test("without members has no owners", async () => {
    using ring = await opened(new FakeService(() => page([], "none")));
    expect([ring.owner("user:42"), ring.replicas("user:42", 3)]).toEqual([undefined, []]);
  });
});

describe("against real instances", () => {
  const pair = new Pair();
  let quorate: Quorate;
  beforeAll(async () => {
    quorate = new Quorate({ urls: [await pair.one.url(), await pair.other.url()] });
  });

  test("a look-up answers what the service answers, and follows who joins", async () => {
    const service = freshName("search");
    const join = (n: number) =>
      quorate.join(service, {
        id: `search-${n}`,
        address: `10.0.0.${n}:9000`,
        weight: n,
        zone: `zone-${n % 2}`,
      });
    await using _one = await join(1);
    await using _two = await join(2);
    using ring = await quorate.ring(service, { refreshMs: 50 });
    await using _three = await join(3);
    await expect.poll(() => ring.members.length).toBe(3);
    const keys = Array.from({ length: 100 }, (_, i) => `user:${i}`);
    const { body } = await pair.one.call("POST", `/v1/services/${service}/owners`, { keys, replicas: 3 });
    expect(body.ringId).toBe(ring.ringId);
    const answered = body.owners.map(({ replicas }: { replicas: string[] }) => replicas);
    expect(keys.map((key) => ring.replicas(key, 3).map(({ id }) => id))).toEqual(answered);
  });
});
