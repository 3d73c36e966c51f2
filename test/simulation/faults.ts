import type { Fault } from "./plan.js";
import type { SimulatedPrimary } from "./primary.js";
import type { Chance } from "./random.js";
import type { Universe } from "./universe.js";

/** Does one fault, and undoes it when its time is over. */
export function inflict(universe: Universe, fault: Fault, chance: Chance): void {
  const { scheduler } = universe;
  const { kind, forMs } = fault;
  const primary = chance.pick(universe.primaries);
  const later = (task: () => void) => void scheduler.after(forMs, task);
  switch (kind) {
    case "connection breaks":
    case "no way there":
    case "no way back":
    case "no way":
      return breakWays(universe, fault, primary, chance);
    case "primary pauses":
      universe.note(`${primary.name} pauses for ${forMs.toFixed(0)} ms`);
      primary.pause();
      return later(() => primary.resume());
    case "primary restarts":
    case "primary restarts with a cut tail":
    case "primary restarts empty":
      return restart(universe, [primary], kind, forMs, chance);
    case "all primaries restart":
    case "a majority restarts": {
      const how = chance.pick([
        "primary restarts",
        "primary restarts with a cut tail",
        "primary restarts empty",
        null,
      ] as const);
      const count = kind === "all primaries restart" ? universe.primaries.length : universe.majority;
      return restart(universe, shuffled(universe.primaries, chance).slice(0, count), how, forMs, chance);
    }
    case "primary is flushed":
      if (!primary.alive) return;
      universe.note(`${primary.name} is flushed`);
      return universe.wipe(primary);
    case "primary forgets its scripts":
      universe.note(`${primary.name} forgets its scripts`);
      return primary.server.flushScripts();
    case "primary is a replica":
      return replicate(universe, primary, forMs, chance);
    case "instance freezes":
      return freeze(universe, forMs, chance);
    case "instance is replaced":
      return replace(universe, forMs, chance);
    case "clock jumps": {
      const ms = Math.round(chance.between(-1_500, 3_000));
      universe.clockJumps(primary, ms);
      return;
    }
  }
}

function breakWays(
  universe: Universe,
  { kind, forMs }: Fault,
  primary: SimulatedPrimary,
  chance: Chance,
): void {
  // Between one instance and one primary, or around a whole machine.
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
  how: "primary restarts" | "primary restarts with a cut tail" | "primary restarts empty" | null,
  forMs: number,
  chance: Chance,
): void {
  for (const primary of primaries) {
    if (!primary.alive) continue;
    const kind =
      how ??
      chance.pick([
        "primary restarts",
        "primary restarts with a cut tail",
        "primary restarts empty",
      ] as const);
    primary.kill();
    if (kind === "primary restarts empty") {
      universe.note(`${primary.name} is killed and wiped, back in ${forMs.toFixed(0)} ms`);
      universe.wipe(primary);
    } else if (kind === "primary restarts with a cut tail") {
      const writes = chance.happens(0.7) ? chance.whole(1, 6) : chance.whole(1, 60);
      universe.note(
        `${primary.name} is killed, back in ${forMs.toFixed(0)} ms without its latest ${writes} writes`,
      );
      universe.cutTail(primary, writes);
    } else universe.note(`${primary.name} is killed, back in ${forMs.toFixed(0)} ms with its data`);
    const loadingMs = chance.happens(0.3) ? chance.between(1, 100) : 0;
    universe.scheduler.after(forMs * chance.between(0.7, 1), () => start(universe, primary, loadingMs));
  }
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

function replicate(universe: Universe, primary: SimulatedPrimary, forMs: number, chance: Chance): void {
  const master = chance.pick(universe.primaries);
  if (!primary.alive || !master.alive) return;
  const { life } = primary;
  const { server } = primary;
  const sync = () => {
    if (primary.life !== life || master.server.keyspace === server.keyspace) return;
    universe.copied(primary, master);
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
    server.replicaOf(null);
    universe.note(`${primary.name} is a primary again`);
  });
}

function freeze(universe: Universe, forMs: number, chance: Chance): void {
  const instances = universe.alive.filter(({ frozen }) => !frozen);
  if (instances.length === 0) return;
  const instance = chance.pick(instances);
  universe.freeze(instance);
  universe.scheduler.after(forMs, () => universe.resume(instance));
}

function replace(universe: Universe, forMs: number, chance: Chance): void {
  const instances = universe.alive;
  if (instances.length < 2) return;
  universe.kill(chance.pick(instances));
  universe.scheduler.after(forMs, () => universe.startInstance());
}

function shuffled<T>(all: readonly T[], chance: Chance): T[] {
  return all
    .map((one) => ({ one, place: chance.next() }))
    .sort((a, b) => a.place - b.place)
    .map(({ one }) => one);
}
