import type { Fault, FaultKind } from "./plan.js";
import type { SimulatedPrimary } from "./primary.js";
import type { Chance } from "./random.js";
import type { Universe } from "./universe.js";

/** Does one fault, and undoes it when its time is over. */
export function inflict(universe: Universe, fault: Fault, chance: Chance): void {
  DOINGS[fault.kind](universe, fault, chance);
}

type Doing = (universe: Universe, fault: Fault, chance: Chance) => void;

const DOINGS: Readonly<Record<FaultKind, Doing>> = {
  "connection breaks": breakWays,
  "no way there": breakWays,
  "no way back": breakWays,
  "no way": breakWays,
  "primary pauses": (universe, { forMs }, chance) => {
    const primary = chance.pick(universe.primaries);
    universe.note(`${primary.name} pauses for ${forMs.toFixed(0)} ms`);
    primary.pause();
    universe.scheduler.after(forMs, () => primary.resume());
  },
  "primary restarts": (universe, { forMs }, chance) =>
    restart(universe, [chance.pick(universe.primaries)], "data", forMs, chance),
  "primary restarts with a cut tail": (universe, { forMs }, chance) =>
    restart(universe, [chance.pick(universe.primaries)], "cut", forMs, chance),
  "primary restarts empty": (universe, { forMs }, chance) =>
    restart(universe, [chance.pick(universe.primaries)], "empty", forMs, chance),
  "primary is flushed": (universe, _fault, chance) => {
    const primary = chance.pick(universe.primaries);
    if (!primary.alive) return;
    universe.note(`${primary.name} is flushed`);
    universe.wipe(primary);
  },
  "primary forgets its scripts": (universe, _fault, chance) => {
    const primary = chance.pick(universe.primaries);
    universe.note(`${primary.name} forgets its scripts`);
    primary.server.flushScripts();
  },
  "primary is a replica": replicate,
  "some are away while one forgets": awayAndForgotten,
  "all primaries restart": (universe, { forMs }, chance) =>
    restart(universe, universe.primaries, chance.pick(HOWS), forMs, chance),
  "a majority restarts": (universe, { forMs }, chance) =>
    restart(
      universe,
      shuffled(universe.primaries, chance).slice(0, universe.majority),
      chance.pick(HOWS),
      forMs,
      chance,
    ),
  "instance freezes": freeze,
  "instance is replaced": replace,
  "instances are upgraded": upgrade,
  "clock jumps": (universe, _fault, chance) =>
    universe.clockJumps(chance.pick(universe.primaries), Math.round(chance.between(-1_500, 3_000))),
};

/** What a primary comes back with; by chance for each, where several restart. */
const HOWS = ["data", "cut", "empty", "mixed"] as const;

/** Between one instance and one primary, or around a whole machine. */
function breakWays(universe: Universe, { kind, forMs }: Fault, chance: Chance): void {
  const primary = chance.pick(universe.primaries);
  const instances = universe.alive;
  if (instances.length === 0) return;
  const one = chance.pick(instances);
  const pairs = chance.pick([
    [[one, primary] as const],
    instances.map((instance) => [instance, primary] as const),
    universe.primaries.map((other) => [one, other] as const),
  ]);
  const links = pairs.map(([instance, other]) => universe.network.link(instance, other));
  const between = pairs.map(([instance, other]) => `${instance.name} and ${other.name}`).join(", ");
  universe.note(
    `${kind}, between ${between}${kind === "connection breaks" ? "" : `, for ${forMs.toFixed(0)} ms`}`,
  );
  for (const { connections, requests, replies } of links) {
    if (kind === "connection breaks")
      for (const connection of [...connections]) connection.cut("connection reset");
    if (kind !== "no way back" && kind !== "connection breaks") requests.close();
    if (kind === "no way back" || kind === "no way") replies.close();
  }
  universe.scheduler.after(forMs, () => {
    for (const { requests, replies } of links) {
      requests.open();
      replies.open();
    }
  });
}

function restart(
  universe: Universe,
  primaries: readonly SimulatedPrimary[],
  how: (typeof HOWS)[number],
  forMs: number,
  chance: Chance,
): void {
  for (const primary of primaries) {
    if (!primary.alive) continue;
    primary.kill();
    const back = `is killed, back in ${forMs.toFixed(0)} ms`;
    switch (how === "mixed" ? chance.pick(["data", "cut", "empty"] as const) : how) {
      case "data":
        universe.note(`${primary.name} ${back} with its data`);
        break;
      case "cut": {
        const writes = chance.happens(0.7) ? chance.whole(1, 6) : chance.whole(1, 60);
        universe.note(`${primary.name} ${back} without its latest ${writes} writes`);
        universe.cutTail(primary, writes);
        break;
      }
      case "empty":
        universe.note(`${primary.name} ${back} without its data`);
        universe.wipe(primary);
        break;
    }
    const loadingMs = chance.happens(0.3) ? chance.between(1, 100) : 0;
    universe.scheduler.after(forMs * chance.between(0.7, 1), () => start(universe, primary, loadingMs));
  }
}

/** As many as the service can do without are not there, so every vote of the others counts; then one loses its data. */
function awayAndForgotten(universe: Universe, { forMs }: Fault, chance: Chance): void {
  const { primaries, majority, scheduler } = universe;
  const [forgetful, ...others] = shuffled(primaries, chance);
  const away = others.slice(0, primaries.length - majority);
  const atMs = chance.between(0.2, 0.9) * forMs;
  if (!forgetful) return;
  for (const primary of away) {
    universe.note(`${primary.name} pauses for ${forMs.toFixed(0)} ms`);
    primary.pause();
    scheduler.after(forMs, () => primary.resume());
  }
  scheduler.after(atMs, () =>
    restart(
      universe,
      [forgetful],
      chance.pick(["empty", "empty", "cut"] as const),
      chance.between(1, 50),
      chance,
    ),
  );
}

function start(universe: Universe, primary: SimulatedPrimary, loadingMs: number): void {
  if (primary.alive) return;
  universe.note(`${primary.name} starts`);
  universe.start(primary);
  if (loadingMs === 0) return;
  const { life } = primary;
  primary.server.loading = true;
  universe.scheduler.after(loadingMs, () => {
    if (primary.life === life) primary.server.loading = false;
  });
}

function replicate(universe: Universe, { forMs }: Fault, chance: Chance): void {
  const primary = chance.pick(universe.primaries);
  const master = chance.pick(universe.primaries);
  if (!primary.alive || !master.alive) return;
  const { life } = primary;
  const { server } = primary;
  const sync = () => {
    if (primary.life !== life || master.server.keyspace === server.keyspace) return;
    universe.copied(primary, master);
    master.replicas.add(primary);
  };
  // Of itself: as a foreign master that is empty.
  const foreign = master === primary;
  universe.note(
    `${primary.name} is a replica of ${foreign ? "a stranger" : master.name} for ${forMs.toFixed(0)} ms`,
  );
  server.replicaOf(foreign ? "10.9.9.9" : "10.0.0.1");
  universe.scheduler.after(forMs * chance.next(), () => {
    if (primary.life !== life) return;
    if (foreign) universe.wipe(primary);
    else sync();
  });
  universe.scheduler.after(forMs, () => {
    if (primary.life !== life) return;
    if (!foreign && master.alive) sync();
    master.replicas.delete(primary);
    server.replicaOf(null);
    universe.note(`${primary.name} is a primary again`);
  });
}

function freeze(universe: Universe, { forMs }: Fault, chance: Chance): void {
  const instances = universe.alive.filter(({ frozen }) => !frozen);
  if (instances.length === 0) return;
  const instance = chance.pick(instances);
  universe.freeze(instance);
  universe.scheduler.after(forMs, () => universe.resume(instance));
}

function replace(universe: Universe, { forMs }: Fault, chance: Chance): void {
  const instances = universe.alive;
  if (instances.length < 2) return;
  universe.kill(chance.pick(instances));
  universe.scheduler.after(forMs, () => universe.startInstance());
}

/** As many of the next version start at once; those of the version before end some time later. */
function upgrade(universe: Universe, { forMs }: Fault): void {
  const before = universe.alive;
  universe.upgrade();
  for (const _ of before) universe.startInstance();
  universe.scheduler.after(forMs, () => {
    for (const instance of before) if (instance.alive) universe.kill(instance);
  });
}

function shuffled<T>(all: readonly T[], chance: Chance): T[] {
  return all
    .map((one) => ({ one, place: chance.next() }))
    .sort((a, b) => a.place - b.place)
    .map(({ one }) => one);
}
