import { command } from "../helpers/deployment.js";
import type { TestPrimary } from "../helpers/primaries.js";
import type { Recorder } from "../history/recorder.js";
import type { Chance } from "../simulation/random.js";
import { INSTANCES, type TestCluster, TTL_MAX_MS } from "./cluster/cluster.js";
import type { Way } from "./cluster/link.js";

/** Something that goes wrong for a while. */
export interface Fault {
  readonly kind: string;
  /** Whether a majority of the primaries are in trouble, for some instance at least: `no_quorum` is right then. */
  readonly majority: boolean;
  /** For how long, ms. */
  readonly forMs: number;
  begin(recorder: Recorder): Promise<void>;
  end(recorder: Recorder): Promise<void>;
}

type Making = (cluster: TestCluster, chance: Chance) => Omit<Fault, "kind" | "forMs" | "majority">;

/** Faults by kind. They leave a majority to each instance. */
const MINORITY: Readonly<Record<string, Making>> = {
  primary_paused: (cluster, chance) => paused([chance.pick(cluster.primaries)]),
  primary_killed: (cluster, chance) => killed([chance.pick(cluster.primaries)], (one) => one.start()),
  primary_emptied: (cluster, chance) => killed([chance.pick(cluster.primaries)], (one) => one.startEmpty()),
  primary_cut_file: (cluster, chance) => {
    const share = chance.between(0.02, 0.4);
    return killed([chance.pick(cluster.primaries)], (one) => one.startCut(share));
  },
  primary_flushed: (cluster, chance) => {
    const one = chance.pick(cluster.primaries);
    return { begin: async () => void (await command(one, "FLUSHALL")), end: async () => {} };
  },
  primary_replica: (cluster, chance) => {
    const one = chance.pick(cluster.primaries);
    // Of another primary, whose data replace its own; or of nobody that answers, and it keeps its own.
    const master = chance.pick(cluster.primaries);
    const port = master === one ? 1 : master.port;
    return {
      begin: async () => void (await command(one, "REPLICAOF", "127.0.0.1", port)),
      end: async () => void (await command(one, "REPLICAOF", "NO", "ONE")),
    };
  },
  way_cut: (cluster, chance) => onOneWay(cluster, chance, "cut"),
  way_stalled: (cluster, chance) => onOneWay(cluster, chance, "stalled"),
  requests_late: (cluster, chance) => onOneWay(cluster, chance, "stalled_to_server"),
  replies_late: (cluster, chance) => onOneWay(cluster, chance, "stalled_to_client"),
  requests_lost: (cluster, chance) => onOneWay(cluster, chance, "swallowed_to_server"),
  replies_lost: (cluster, chance) => onOneWay(cluster, chance, "swallowed_to_client"),
  primary_cut_off: (cluster, chance) => {
    const place = placeIn(cluster, chance);
    return ways(
      cluster,
      chance.pick(TROUBLES),
      INSTANCES.map((id) => [id, place]),
    );
  },
  instances_lose_different_primaries: (cluster, chance) => {
    const place = placeIn(cluster, chance);
    const other = (place + 1) % cluster.primaries.length;
    return ways(cluster, chance.pick(TROUBLES), [
      ["one", place],
      ["two", other],
    ]);
  },
  clock_jumps_ahead: (cluster, chance) => {
    const ms = chance.pick([1_500, 60_000, 3_600_000]);
    return clockJump(cluster, placeIn(cluster, chance), ms);
  },
  clock_jumps_back: (cluster, chance) =>
    clockJump(cluster, placeIn(cluster, chance), -chance.between(500, 3_000)),
  // Without instances, for the comparison with plain redlock, these are nothing.
  instance_paused: (cluster, chance) => {
    const service = cluster.services[instanceIn(chance)];
    let atMs = 0;
    return {
      begin: async () => {
        atMs = performance.now();
        service?.pause();
      },
      end: async (recorder) => {
        service?.resume();
        const untilMs = performance.now();
        if (service) recorder.happened({ kind: "paused", instance: service.id, atMs, untilMs });
      },
    };
  },
  instance_killed: (cluster, chance) => {
    const service = cluster.services[instanceIn(chance)];
    return { begin: async () => service?.kill(), end: async () => service?.start() };
  },
};

/** These take a majority away. */
const MAJORITY: Readonly<Record<string, Making>> = {
  majority_paused: (cluster, chance) => paused(someOf(cluster, chance)),
  majority_killed: (cluster, chance) => killed(someOf(cluster, chance), (one) => one.start()),
  all_killed: (cluster) => killed(cluster.primaries, (one) => one.start()),
  majority_emptied: (cluster, chance) => {
    const { begin, end } = killed(someOf(cluster, chance), (one) => one.startEmpty());
    return { begin: lost(begin, false, "a majority is emptied"), end };
  },
  majority_cut_file: (cluster, chance) => {
    const share = chance.between(0.02, 0.4);
    const { begin, end } = killed(someOf(cluster, chance), (one) => one.startCut(share));
    return { begin: lost(begin, true, "a majority loses the end of its files"), end };
  },
  instance_cut_off: (cluster, chance) => {
    const id = chance.pick(INSTANCES);
    return ways(
      cluster,
      chance.pick(TROUBLES),
      cluster.primaries.map((_, place) => [id, place]),
    );
  },
};

const TROUBLES: readonly Way[] = [
  "cut",
  "stalled",
  "stalled_to_server",
  "stalled_to_client",
  "swallowed_to_server",
  "swallowed_to_client",
];

/** Kinds of faults that this test cluster cannot have, with the reason. */
export function skipped(cluster: TestCluster): ReadonlyMap<string, string> {
  if (cluster.clocks) return new Map();
  const reason =
    cluster.kind === "container"
      ? "the primaries are containers"
      : "there is no C compiler, or this is not Linux";
  return new Map(["clock_jumps_ahead", "clock_jumps_back"].map((kind) => [kind, reason]));
}

/**
 * The faults of a run, without an end: all kinds that leave a majority once, shuffled, with one that does not after
 * every fourth; then again.
 */
export function* schedule(cluster: TestCluster, chance: Chance): Generator<Fault> {
  const without = skipped(cluster);
  let worse: string[] = [];
  for (;;) {
    for (const [count, kind] of shuffled(Object.keys(MINORITY), chance).entries()) {
      // Drawn in any case, so that a seed means the same schedule where a kind cannot happen.
      const fault = made(kind, MINORITY, false, cluster, chance);
      if (!without.has(kind)) yield fault;
      if (count % 4 !== 3) continue;
      if (worse.length === 0) worse = shuffled(Object.keys(MAJORITY), chance);
      yield made(worse.pop() as string, MAJORITY, true, cluster, chance);
    }
  }
}

function made(
  kind: string,
  from: Readonly<Record<string, Making>>,
  majority: boolean,
  cluster: TestCluster,
  chance: Chance,
): Fault {
  const forMs = chance.between(300, 1_500);
  return { kind, majority, forMs, ...(from[kind] as Making)(cluster, chance) };
}

function paused(all: readonly TestPrimary[]): ReturnType<Making> {
  return {
    begin: async () => void (await Promise.all(all.map((one) => one.pause()))),
    end: async () => void (await Promise.all(all.map((one) => one.resume()))),
  };
}

function killed(
  all: readonly TestPrimary[],
  startAgain: (one: TestPrimary) => Promise<void>,
): ReturnType<Making> {
  return {
    begin: async () => void (await Promise.all(all.map((one) => one.kill()))),
    end: async () => void (await Promise.all(all.map(startAgain))),
  };
}

/** Notes the moment from which nothing of what is lost is acknowledged any more: after the last of them died. */
function lost(begin: Fault["begin"], leases: boolean, text: string): Fault["begin"] {
  return async (recorder) => {
    await begin(recorder);
    recorder.happened({ kind: "majority_lost", atMs: performance.now(), leases, text });
  };
}

function onOneWay(cluster: TestCluster, chance: Chance, way: Way): ReturnType<Making> {
  return ways(cluster, way, [[chance.pick(INSTANCES), placeIn(cluster, chance)]]);
}

function ways(
  cluster: TestCluster,
  way: Way,
  which: readonly (readonly [string, number])[],
): ReturnType<Making> {
  const set = (to: Way) => {
    for (const [client, place] of which) cluster.links[place]?.set(client, to);
  };
  return { begin: async () => set(way), end: async () => set("open") };
}

/** It stays where it jumped to. Members are not judged until what was stored before has surely ended. */
function clockJump(cluster: TestCluster, place: number, ms: number): ReturnType<Making> {
  return {
    begin: async (recorder) => {
      const atMs = performance.now();
      await cluster.clocks?.jump(place, ms);
      const doneMs = performance.now();
      const membersUntilMs = doneMs + Math.max(0, -ms) + TTL_MAX_MS + 1_000;
      const primary = `primary ${place}`;
      recorder.happened({ kind: "clock_jump", atMs, doneMs, primary, byMs: ms, membersUntilMs });
    },
    end: async () => {},
  };
}

function placeIn(cluster: TestCluster, chance: Chance): number {
  return chance.whole(0, cluster.primaries.length - 1);
}

function instanceIn(chance: Chance): number {
  return chance.whole(0, INSTANCES.length - 1);
}

/** As many as make a majority. */
function someOf(cluster: TestCluster, chance: Chance): TestPrimary[] {
  return shuffled(cluster.primaries, chance).slice(0, cluster.majority);
}

function shuffled<T>(all: readonly T[], chance: Chance): T[] {
  return all
    .map((one) => ({ one, rank: chance.next() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ one }) => one);
}
