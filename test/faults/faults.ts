import { command } from "../helpers/deployment.js";
import type { TestPrimary } from "../helpers/primaries.js";
import type { Recorder } from "../history/recorder.js";
import type { Chance } from "../simulation/random.js";
import type { Way } from "./stage/link.js";
import { INSTANCES, type Stage, TTL_MAX_MS } from "./stage/stage.js";

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

type Making = (stage: Stage, chance: Chance) => Omit<Fault, "kind" | "forMs" | "majority">;

/** Faults by kind. They leave a majority to each instance. */
const MINORITY: Readonly<Record<string, Making>> = {
  primary_paused: (stage, chance) => paused([chance.pick(stage.primaries)]),
  primary_killed: (stage, chance) => killed([chance.pick(stage.primaries)], (one) => one.start()),
  primary_emptied: (stage, chance) => killed([chance.pick(stage.primaries)], (one) => one.startEmpty()),
  primary_cut_file: (stage, chance) => {
    const share = chance.between(0.02, 0.4);
    return killed([chance.pick(stage.primaries)], (one) => one.startCut(share));
  },
  primary_flushed: (stage, chance) => {
    const one = chance.pick(stage.primaries);
    return { begin: async () => void (await command(one, "FLUSHALL")), end: async () => {} };
  },
  primary_replica: (stage, chance) => {
    const one = chance.pick(stage.primaries);
    // Of another primary, whose data replace its own; or of nobody that answers, and it keeps its own.
    const master = chance.pick(stage.primaries);
    const port = master === one ? 1 : master.port;
    return {
      begin: async () => void (await command(one, "REPLICAOF", "127.0.0.1", port)),
      end: async () => void (await command(one, "REPLICAOF", "NO", "ONE")),
    };
  },
  way_cut: (stage, chance) => onOneWay(stage, chance, "cut"),
  way_stalled: (stage, chance) => onOneWay(stage, chance, "stalled"),
  requests_late: (stage, chance) => onOneWay(stage, chance, "stalled_to_server"),
  replies_late: (stage, chance) => onOneWay(stage, chance, "stalled_to_client"),
  requests_lost: (stage, chance) => onOneWay(stage, chance, "swallowed_to_server"),
  replies_lost: (stage, chance) => onOneWay(stage, chance, "swallowed_to_client"),
  primary_cut_off: (stage, chance) => {
    const place = placeIn(stage, chance);
    return ways(
      stage,
      chance.pick(TROUBLES),
      INSTANCES.map((id) => [id, place]),
    );
  },
  instances_lose_different_primaries: (stage, chance) => {
    const place = placeIn(stage, chance);
    const other = (place + 1) % stage.primaries.length;
    return ways(stage, chance.pick(TROUBLES), [
      ["one", place],
      ["two", other],
    ]);
  },
  clock_jumps_ahead: (stage, chance) => {
    const ms = chance.pick([1_500, 60_000, 3_600_000]);
    return clockJump(stage, placeIn(stage, chance), ms);
  },
  clock_jumps_back: (stage, chance) => clockJump(stage, placeIn(stage, chance), -chance.between(500, 3_000)),
  // Without instances, for the comparison with plain redlock, these are nothing.
  instance_paused: (stage, chance) => {
    const service = stage.services[instanceIn(chance)];
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
  instance_killed: (stage, chance) => {
    const service = stage.services[instanceIn(chance)];
    return { begin: async () => service?.kill(), end: async () => service?.start() };
  },
};

/** These take a majority away. */
const MAJORITY: Readonly<Record<string, Making>> = {
  majority_paused: (stage, chance) => paused(someOf(stage, chance)),
  majority_killed: (stage, chance) => killed(someOf(stage, chance), (one) => one.start()),
  all_killed: (stage) => killed(stage.primaries, (one) => one.start()),
  majority_emptied: (stage, chance) => {
    const { begin, end } = killed(someOf(stage, chance), (one) => one.startEmpty());
    return { begin: lost(begin, false, "a majority is emptied"), end };
  },
  majority_cut_file: (stage, chance) => {
    const share = chance.between(0.02, 0.4);
    const { begin, end } = killed(someOf(stage, chance), (one) => one.startCut(share));
    return { begin: lost(begin, true, "a majority loses the end of its files"), end };
  },
  instance_cut_off: (stage, chance) => {
    const id = chance.pick(INSTANCES);
    return ways(
      stage,
      chance.pick(TROUBLES),
      stage.primaries.map((_, place) => [id, place]),
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

/** Kinds that cannot happen on this stage, with the reason. */
export function skipped(stage: Stage): ReadonlyMap<string, string> {
  if (stage.clocks) return new Map();
  const reason =
    stage.kind === "container"
      ? "the primaries are containers"
      : "there is no C compiler, or this is not Linux";
  return new Map(["clock_jumps_ahead", "clock_jumps_back"].map((kind) => [kind, reason]));
}

/**
 * The faults of a run, without an end: all kinds that leave a majority once, shuffled, with one that does not after
 * every fourth; then again.
 */
export function* schedule(stage: Stage, chance: Chance): Generator<Fault> {
  const without = skipped(stage);
  let worse: string[] = [];
  for (;;) {
    for (const [count, kind] of shuffled(Object.keys(MINORITY), chance).entries()) {
      // Drawn in any case, so that a seed means the same schedule where a kind cannot happen.
      const fault = made(kind, MINORITY, false, stage, chance);
      if (!without.has(kind)) yield fault;
      if (count % 4 !== 3) continue;
      if (worse.length === 0) worse = shuffled(Object.keys(MAJORITY), chance);
      yield made(worse.pop() as string, MAJORITY, true, stage, chance);
    }
  }
}

function made(
  kind: string,
  from: Readonly<Record<string, Making>>,
  majority: boolean,
  stage: Stage,
  chance: Chance,
): Fault {
  const forMs = chance.between(300, 1_500);
  return { kind, majority, forMs, ...(from[kind] as Making)(stage, chance) };
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

function onOneWay(stage: Stage, chance: Chance, way: Way): ReturnType<Making> {
  return ways(stage, way, [[chance.pick(INSTANCES), placeIn(stage, chance)]]);
}

function ways(stage: Stage, way: Way, which: readonly (readonly [string, number])[]): ReturnType<Making> {
  const set = (to: Way) => {
    for (const [client, place] of which) stage.links[place]?.set(client, to);
  };
  return { begin: async () => set(way), end: async () => set("open") };
}

/** It stays where it jumped to. Until what was granted before has surely ended, nothing is said of holds. */
function clockJump(stage: Stage, place: number, ms: number): ReturnType<Making> {
  return {
    begin: async (recorder) => {
      const atMs = performance.now();
      await stage.clocks?.jump(place, ms);
      const untilMs = performance.now() + Math.max(0, -ms) + TTL_MAX_MS + 1_000;
      const text = `the clock of primary ${place} jumps by ${Math.round(ms)} ms`;
      recorder.happened({ kind: "clock_fault", atMs, untilMs, text });
    },
    end: async () => {},
  };
}

function placeIn(stage: Stage, chance: Chance): number {
  return chance.whole(0, stage.primaries.length - 1);
}

function instanceIn(chance: Chance): number {
  return chance.whole(0, INSTANCES.length - 1);
}

/** As many as make a majority. */
function someOf(stage: Stage, chance: Chance): TestPrimary[] {
  return shuffled(stage.primaries, chance).slice(0, stage.majority);
}

function shuffled<T>(all: readonly T[], chance: Chance): T[] {
  return all
    .map((one) => ({ one, rank: chance.next() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ one }) => one);
}
