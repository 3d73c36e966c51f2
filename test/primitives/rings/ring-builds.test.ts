import { beforeEach, expect, test } from "vitest";
import { buildRing, type Ring } from "../../../src/algorithms/ring.js";
import { CoordinationError } from "../../../src/errors.js";
import { RING_POINTS_MAX, RingBuilds } from "../../../src/primitives/rings/ring-builds.js";
import { TimeSlices } from "../../../src/primitives/rings/time-slices.js";
import { FakeClock } from "../../helpers/fake-clock.js";

interface View {
  readonly ring: Ring;
  readonly readAtMs: number;
}

let builds: RingBuilds<View>;
let readAtMs = 0;
beforeEach(() => {
  builds = new RingBuilds(new TimeSlices(new FakeClock()));
});

/** Members of weight 16 have 4,096 points each; preparing the ring is counted. */
function viewOf(members: number, name = "m") {
  const ring = buildRing(Array.from({ length: members }, (_, i) => ({ id: `${name}${i}`, weight: 16 })));
  const counted = { prepared: 0 };
  const prepare = (replicas: number) => {
    counted.prepared++;
    return ring.prepare(replicas);
  };
  return { view: { ring: { ...ring, prepare }, readAtMs: readAtMs++ }, counted };
}

/** Never built: only its size counts. */
const sizedView = (pointCount: number): View => ({
  ring: {
    ...buildRing([{ id: "a", weight: 1 }]),
    pointCount,
    prepare: function* () {},
    isPrepared: () => false,
  },
  readAtMs: readAtMs++,
});

const codeOf = (asked: Promise<View>) =>
  asked.then(
    () => "prepared",
    (error: unknown) => (error instanceof CoordinationError ? error.code : `${error}`),
  );

test("a small ring is built at once, and one that is built does not wait", async () => {
  const { view, counted } = viewOf(1);
  expect(await builds.prepared("s", view, 2)).toBe(view);
  expect(await builds.prepared("s", view, 1)).toBe(view);
  expect(counted.prepared).toBe(1);
});

test("a ring is built once for all who ask meanwhile", async () => {
  const { view, counted } = viewOf(8);
  const asked = Array.from({ length: 50 }, () => builds.prepared("s", view, 3));
  // Some come when it is under way.
  await asked[0]?.then(() => {});
  await Promise.all([...asked, builds.prepared("s", view, 3)]);
  expect(counted.prepared).toBe(1);
  expect(view.ring.isPrepared(3)).toBe(true);
});

test("who asks while it is being built waits for it, and for more replicas is served after that", async () => {
  const { view, counted } = viewOf(8);
  const owner = builds.prepared("s", view, 1);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  expect(view.ring.isPrepared(1)).toBe(false);
  const late = [builds.prepared("s", view, 1), builds.prepared("s", view, 4)];
  await Promise.all([owner, ...late]);
  expect(counted.prepared).toBe(2);
  expect(view.ring.isPrepared(4)).toBe(true);
});

test("of a service that changes while its ring is built only the newest ring waits, and all who asked get it", async () => {
  const first = viewOf(8, "first");
  const building = builds.prepared("s", first.view, 1);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  const versions = Array.from({ length: 10 }, (_, i) => viewOf(8, `v${i}-`));
  const stale = versions[3] as (typeof versions)[0];
  const asked = [...versions, stale].map(({ view }) => builds.prepared("s", view, 1));
  expect(await building).toBe(first.view);
  const newest = versions.at(-1)?.view;
  for (const view of await Promise.all(asked)) expect(view).toBe(newest);
  expect(versions.map(({ counted }) => counted.prepared)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
});

test("small rings do not wait for a large one", async () => {
  const large = viewOf(80);
  const ends: string[] = [];
  const asked = [
    builds.prepared("large", large.view, 1).then(() => ends.push("large")),
    ...["a", "b", "c"].map((name) => builds.prepared(name, viewOf(2).view, 1).then(() => ends.push(name))),
  ];
  await Promise.all(asked);
  expect(ends).toEqual(["a", "b", "c", "large"]);
});

test("a ring that grows large while it waits goes where it delays no small ones", async () => {
  const ends: string[] = [];
  const ask = (name: string, view: View) => builds.prepared(name, view, 1).then(() => ends.push(name));
  const asked = [
    ask("first", viewOf(4).view),
    ask("grows", viewOf(4, "a").view),
    ask("grows", viewOf(80, "b").view),
    ask("last", viewOf(2).view),
  ];
  await Promise.all(asked);
  expect(ends).toEqual(["first", "grows", "last", "grows"]);
});

test("a ring may have 4,194,304 points, and beyond that is too_many", async () => {
  expect(await codeOf(builds.prepared("s", sizedView(RING_POINTS_MAX), 1))).toBe("prepared");
  expect(await codeOf(builds.prepared("s", sizedView(RING_POINTS_MAX + 1), 1))).toBe("too_many");
});

test("rings that wait have 33,554,432 points together at most, and beyond that is overloaded until some are built", async () => {
  const asked = Array.from({ length: 9 }, (_, i) =>
    codeOf(builds.prepared(`s${i}`, sizedView(RING_POINTS_MAX), 1)),
  );
  const codes = await Promise.all(asked);
  expect(codes).toEqual([...Array.from({ length: 8 }, () => "prepared"), "overloaded"]);
  expect(await codeOf(builds.prepared("s9", sizedView(RING_POINTS_MAX), 1))).toBe("prepared");
});

test("a build that fails fails for all who wait for it, and the next one goes on", async () => {
  const failing = sizedView(100_000);
  const broken: View = {
    ...failing,
    ring: {
      ...failing.ring,
      prepare: () => {
        throw new Error("no memory");
      },
    },
  };
  const asked = [codeOf(builds.prepared("s", broken, 1)), codeOf(builds.prepared("s", broken, 1))];
  const other = codeOf(builds.prepared("other", sizedView(100_000), 1));
  expect(await Promise.all(asked)).toEqual(["Error: no memory", "Error: no memory"]);
  expect(await other).toBe("prepared");
  expect(await codeOf(builds.prepared("s", sizedView(100_000), 1))).toBe("prepared");
});
