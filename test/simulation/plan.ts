import type { OnRegisters } from "./clients-on-registers.js";
import type { InstanceSettings } from "./instance.js";
import type { Weather } from "./network.js";
import { Chance } from "./random.js";

/** What can be done to a run. */
export const FAULTS = [
  "connection breaks",
  "no way there",
  "no way back",
  "no way",
  "primary pauses",
  "primary restarts",
  "primary restarts with a cut tail",
  "primary restarts empty",
  "primary is flushed",
  "primary forgets its scripts",
  "primary is a replica",
  "some are away while one forgets",
  "all primaries restart",
  "a majority restarts",
  "instance freezes",
  "instance is replaced",
  "instances are upgraded",
  "clock jumps",
] as const;

export type FaultKind = (typeof FAULTS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** Counted from the first of all. */
  readonly atMs: number;
  readonly forMs: number;
}

/** Warm: with an existing deployment. Calm: a first start, and no faults until all is up. Else a first start amid faults. */
export type Start = "warm" | "calm" | "amid faults";

export interface Removal {
  /** For how long it stays. */
  readonly goneForMs: number;
  /** How often each instance looks for it, besides doing so by itself. */
  readonly everyMs: number;
  /** So many registers. */
  readonly keys: number;
  /** Changes have idempotency keys, which keep what is left. */
  readonly keyed?: boolean;
}

export type Crowd = "permits" | "line" | "election";

/** All that a seed decides before a run begins. */
export interface Plan {
  readonly seed: number;
  readonly primaries: number;
  readonly instances: number;
  readonly clients: number;
  readonly names: number;
  /** What all clients want, and nothing else: permits of one semaphore, to wait for one name, or to lead. Null: a mixture. */
  readonly crowd: Crowd | null;
  readonly members: number;
  /** Clients of registers. */
  readonly registers: number;
  /** Clients that change several registers at once. */
  readonly transfers: number;
  /** Clients that look at one of those registers after the other. */
  readonly lookers: number;
  /** Candidates of an election by consensus. */
  readonly offices: number;
  /** Members of another service, which are changed, drained and restarted as well. */
  readonly changing: number;
  /** A hook is told of the members that change. */
  readonly hooked: boolean;
  /** Members with leases that their heartbeats keep. */
  readonly bound: number;
  /** By how much the clocks of primaries differ from that of the run at most, until they jump. */
  readonly clocksDifferMs: number;
  /** What is built on registers and has clients. */
  readonly onRegisters: readonly OnRegisters[];
  /** Each transaction across services names a lock of its own, which is mostly released before the last vote. */
  readonly lostLeases: boolean;
  /** What is left of deleted registers goes within the run. */
  readonly removal: Removal | null;
  readonly settings: InstanceSettings;
  readonly weather: Weather;
  readonly faults: readonly Fault[];
  /** For how long there are faults. */
  readonly faultsMs: number;
  readonly start: Start;
  readonly thinkMs: number;
  readonly leaseTtlsMs: readonly number[];
  readonly memberTtlMs: number;
}

export function planOf(seed: number): Plan {
  const chance = new Chance(seed, "plan");
  const primaries = chance.happens(0.9) ? 3 : 5;
  // Slow runs have the same number of operations and faults: what lasts, lasts for longer.
  const pace = chance.happens(0.9) ? 1 : 4;
  const faultsMs = pace * chance.between(700, 1_500);
  const plan: Plan = {
    seed,
    primaries,
    instances: chance.happens(0.8) ? 2 : 3,
    clients: chance.whole(2, 4),
    names: chance.whole(1, 2),
    crowd: null,
    members: chance.whole(1, 3),
    registers: 0,
    transfers: 0,
    lookers: 0,
    offices: 0,
    changing: 0,
    bound: 0,
    hooked: false,
    clocksDifferMs: 2_000,
    onRegisters: [],
    lostLeases: false,
    removal: null,
    settings: {
      ttlMaxMs: chance.pick([3_000, 5_000]),
      commandTimeoutMs: chance.pick([40, 100]),
      // Now and then counters are dropped into floors during the run.
      rotateAfterMs: chance.happens(0.2) ? 1_000 : 86_400_000,
    },
    weather: weatherOf(chance),
    faults: faultsOf(chance, faultsMs, pace),
    faultsMs,
    start: chance.happens(0.9) ? "calm" : "amid faults",
    thinkMs: pace * chance.pick([60, 120, 200]),
    // Long ones show what is not given back; short ones end during the run.
    leaseTtlsMs: chance.pick([
      [150, 400, 3_000],
      [300, 3_000],
      [600, 2_000],
    ]),
    memberTtlMs: pace * chance.pick([400, 800]),
  };
  return hooked(
    leased(
      builtOn(
        removed(
          bound(
            withOffices(
              withTransfers(changed(compared(upgraded(warmStarted(withRegisters(gathered(plan))))))),
            ),
          ),
        ),
      ),
    ),
  );
}

/** In few runs, which last for long, there is nothing but members and a hook that is told of them. */
function hooked(plan: Plan): Plan {
  if (plan.crowd !== null || !new Chance(plan.seed, "hooked").happens(0.005)) return plan;
  return withHook(plan);
}

export function withHook(plan: Plan): Plan {
  const chance = new Chance(plan.seed, "hook");
  // Instances come and go, each for longer than it takes to find out who tells.
  const crash = (at: number) =>
    ({ kind: "instance is replaced", atMs: at * HOOKED_MS, forMs: chance.between(50, 1_000) }) as const;
  const others = plan.faults.filter(({ kind }) => kind !== "instances are upgraded");
  const faults = [...others, crash(0.4), crash(0.9)].sort((a, b) => a.atMs - b.atMs);
  const only = { ...onlyOffices(plan), offices: 0, bound: 0, changing: 2, hooked: true };
  const weather = { ...CALM, lostReplyShare: 0.002 };
  return { ...only, start: "warm", weather, faults, faultsMs: HOOKED_MS, memberTtlMs: 1_000 };
}

/** Registers beside everything else, in some runs; in others nothing but them, of one key. */
function withRegisters(plan: Plan): Plan {
  if (plan.crowd !== null) return plan;
  switch (new Chance(plan.seed, "registers").weighted({ none: 5, some: 3, only: 2 })) {
    case "none":
      return plan;
    case "some":
      return { ...plan, registers: 2 };
    case "only":
      return onlyRegisters(plan);
  }
}

export function onlyRegisters(plan: Plan): Plan {
  return {
    ...plan,
    crowd: null,
    clients: 0,
    members: 0,
    registers: 4,
    transfers: 0,
    offices: 0,
    onRegisters: [],
    removal: null,
    thinkMs: plan.thinkMs / 4,
  };
}

/** In some runs what was deleted is soon removed. */
function removed(plan: Plan): Plan {
  if (plan.registers === 0) return plan;
  return new Chance(plan.seed, "removal").happens(0.3) ? withRemoval(plan) : plan;
}

export function withRemoval(plan: Plan): Plan {
  const chance = new Chance(plan.seed, "removing");
  // Longer than most changes last.
  const goneForMs = plan.weather === CALM ? 20 : 100;
  return { ...plan, removal: { goneForMs, everyMs: chance.pick([10, 30, 60]), keys: chance.whole(1, 4) } };
}

/** In some runs there is nothing but transfers between registers, or those beside registers. */
function withTransfers(plan: Plan): Plan {
  if (plan.crowd !== null || plan.registers === 0) return plan;
  switch (new Chance(plan.seed, "transfers").weighted({ none: 6, some: 2, only: 2 })) {
    case "none":
      return plan;
    case "some":
      return { ...plan, transfers: 2 };
    case "only":
      return onlyTransfers(plan);
  }
}

export function onlyTransfers(plan: Plan): Plan {
  const thinkMs = plan.clients === 0 ? plan.thinkMs : plan.thinkMs / 4;
  const only = {
    crowd: null,
    clients: 0,
    members: 0,
    registers: 0,
    transfers: 4,
    offices: 0,
    onRegisters: [],
    removal: null,
  };
  return { ...plan, ...only, thinkMs };
}

/** In some runs there is nothing but one of what is built on registers, or two of them beside all else. */
function builtOn(plan: Plan): Plan {
  if (plan.crowd !== null) return plan;
  const chance = new Chance(plan.seed, "on registers");
  const some = () => chance.pick(["counters", "latches", "barriers", "transactions"] as const);
  switch (chance.weighted({ none: 14, some: 3, only: 3 })) {
    case "none":
      return plan;
    case "some":
      return withOnRegisters(plan, new Set([some(), some()]));
    case "only":
      return onlyOnRegisters(plan, some());
  }
}

/** In some runs with transactions across services their leases are lost. */
function leased(plan: Plan): Plan {
  if (!plan.onRegisters.includes("transactions")) return plan;
  return { ...plan, lostLeases: new Chance(plan.seed, "lost leases").happens(0.3) };
}

export function withLostLeases(plan: Plan): Plan {
  return { ...onlyOnRegisters(plan, "transactions"), lostLeases: true };
}

export function onlyOnRegisters(plan: Plan, kind: OnRegisters): Plan {
  const thinkMs = plan.clients === 0 ? plan.thinkMs : plan.thinkMs / 4;
  const nothing = { ...onlyOffices(plan), offices: 0, changing: 0, bound: 0 };
  return withOnRegisters({ ...nothing, thinkMs }, new Set([kind]));
}

function withOnRegisters(plan: Plan, kinds: ReadonlySet<OnRegisters>): Plan {
  // Where clocks differ, those who arrive at a barrier count for that much longer or shorter.
  const { clocksDifferMs } = kinds.has("barriers") ? { clocksDifferMs: 0 } : plan;
  return { ...plan, onRegisters: [...kinds], clocksDifferMs };
}

/** In some runs there is nothing but an election by consensus, or that beside registers. */
function withOffices(plan: Plan): Plan {
  if (plan.crowd !== null || plan.registers === 0 || plan.transfers > 0) return plan;
  switch (new Chance(plan.seed, "offices").weighted({ none: 6, some: 2, only: 2 })) {
    case "none":
      return plan;
    case "some":
      return { ...plan, offices: 3 };
    case "only":
      return onlyOffices(plan);
  }
}

export function onlyOffices(plan: Plan): Plan {
  const only = {
    crowd: null,
    clients: 0,
    members: 0,
    registers: 0,
    transfers: 0,
    offices: 5,
    onRegisters: [],
    lostLeases: false,
    removal: null,
  };
  return { ...plan, ...only };
}

/** In some runs members are changed. */
function changed(plan: Plan): Plan {
  return new Chance(plan.seed, "member changes").happens(0.15) ? withChanges(plan) : plan;
}

export function withChanges(plan: Plan): Plan {
  return { ...plan, changing: new Chance(plan.seed, "changing").whole(1, 2) };
}

/** In some runs members have leases. */
function bound(plan: Plan): Plan {
  return new Chance(plan.seed, "bound leases").happens(0.15) ? withBound(plan) : plan;
}

export function withBound(plan: Plan): Plan {
  return plan.crowd === null && plan.clients > 0 ? { ...plan, bound: 2 } : plan;
}

/** In some runs copies are compared all the time. */
function compared(plan: Plan): Plan {
  if (!new Chance(plan.seed, "anti-entropy").happens(0.1)) return plan;
  return { ...plan, settings: { ...plan.settings, antiEntropyIntervalMs: 300 } };
}

/** Some runs begin with instances of the version before, whose protocol those that follow raise. */
function upgraded(plan: Plan): Plan {
  const chance = new Chance(plan.seed, "upgrade");
  return plan.faults.length > 0 && chance.happens(0.05) ? withUpgrade(plan, chance) : plan;
}

export function withUpgrade(plan: Plan, chance: Chance): Plan {
  const upgrade = {
    kind: "instances are upgraded",
    atMs: chance.between(0, 0.9 * plan.faultsMs),
    forMs: chance.between(5, 500),
  } as const;
  const faults = [...plan.faults, upgrade].sort((a, b) => a.atMs - b.atMs);
  return { ...withFirstStart(plan), faults };
}

/** What comes of a crowd, in some runs. */
function gathered(plan: Plan): Plan {
  const crowd = new Chance(plan.seed, "crowd").weighted({
    permits: 1,
    line: 1,
    calm: 1,
    election: 1,
    none: 16,
  });
  if (crowd === "none") return plan;
  return crowd === "calm" ? undisturbed(crowded(plan, "line")) : crowded(plan, crowd);
}

/** An undisturbed first start is always the same, and a quarter of a run's work: few runs have one. */
function warmStarted(plan: Plan): Plan {
  const isWarm = plan.start === "calm" && new Chance(plan.seed, "start").happens(0.9);
  return isWarm ? { ...plan, start: "warm" } : plan;
}

/** With a first start in place of a warm one. */
export function withFirstStart(plan: Plan): Plan {
  return plan.start === "warm" ? { ...plan, start: "calm" } : plan;
}

/** Nothing goes wrong: then the order of those who wait is looked at. */
export function undisturbed(plan: Plan): Plan {
  return { ...plan, weather: CALM, faults: [], start: "calm" };
}

export const isUndisturbed = ({ weather, faults, start }: Plan) =>
  weather === CALM && faults.length === 0 && start !== "amid faults";

/** So many clients that several are always asking at once, or waiting; for a shorter time, since so much happens in it. */
export function crowded(plan: Plan, crowd: Crowd): Plan {
  const clients = crowd === "permits" ? 8 : 5;
  const faults = plan.faults.map((fault) => ({ ...fault, atMs: fault.atMs * CROWD_LASTS }));
  const faultsMs = plan.faultsMs * CROWD_LASTS;
  return { ...plan, crowd, clients, names: 1, thinkMs: plan.thinkMs / 4, faults, faultsMs };
}

function weatherOf(chance: Chance): Weather {
  switch (chance.weighted({ calm: 3, uneven: 4, wild: 2, repeating: 1 })) {
    case "calm":
      return CALM;
    case "uneven":
      return { ...CALM, delayMs: [0.1, 8], lateShare: 0.01, lateMsMax: 150, lostReplyShare: 0.002 };
    case "wild":
      return { ...CALM, delayMs: [0.1, 15], lateShare: 0.03, lateMsMax: 400, lostReplyShare: 0.005 };
    case "repeating":
      return { ...CALM, delayMs: [0.1, 8], lateShare: 0.02, lateMsMax: 100, twiceShare: 0.05 };
  }
}

/** A few kinds of faults a run: each fault alone and each pair comes up often that way. */
function faultsOf(chance: Chance, endMs: number, pace: number): Fault[] {
  const favourites = [1, 2, 3].map(() =>
    chance.weighted<FaultKind>({
      "connection breaks": 3,
      "no way there": 2,
      "no way back": 2,
      "no way": 2,
      "primary pauses": 4,
      "primary restarts": 4,
      "primary restarts with a cut tail": 4,
      "primary restarts empty": 5,
      "primary is flushed": 2,
      "primary forgets its scripts": 1,
      "primary is a replica": 2,
      "some are away while one forgets": 6,
      "all primaries restart": 1,
      "a majority restarts": 1,
      "instance freezes": 3,
      "instance is replaced": 3,
      // Once at most, and in few runs.
      "instances are upgraded": 0,
      "clock jumps": 1,
    }),
  );
  // Spread out, or close together: then one hits what another has just begun.
  const centreMs = chance.between(0.1, 0.8) * endMs;
  const spreadMs = chance.happens(0.5) ? endMs : chance.between(20, 200);
  return Array.from({ length: chance.whole(1, 4) }, () => ({
    kind: chance.pick(favourites),
    atMs: spreadMs === endMs ? chance.between(0, 0.9 * endMs) : centreMs + chance.between(0, spreadMs),
    forMs: pace * (chance.happens(0.7) ? chance.between(5, 200) : chance.between(100, 800)),
  })).sort((a, b) => a.atMs - b.atMs);
}

export const CALM: Weather = {
  delayMs: [0.1, 0.8],
  lateShare: 0,
  lateMsMax: 0,
  lostReplyShare: 0,
  twiceShare: 0,
};
const HOOKED_MS = 4_000;
/** Share of the time of other runs. */
const CROWD_LASTS = 0.6;
