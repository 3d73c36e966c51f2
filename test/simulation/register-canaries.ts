import { Changes } from "../../src/primitives/registers/changes.js";
import { Registers } from "../../src/primitives/registers/registers.js";
import type { Primaries } from "../../src/quorum/primaries.js";
import { Keys } from "../../src/scripts/keys.js";
import type { Core } from "../../src/service.js";
import type { Canary } from "./canaries.js";
import type { Instance } from "./instance.js";
import { LAST_KEY_ONLY, patched } from "./patched.js";
import { CALM, type FaultKind, onlyRegisters, type Plan, type Removal } from "./plan.js";

const breaks = ["registers"];
const replan = onlyRegisters;

const NOT_COPIED = "if true then return { 1 } end\nlocal stored = redis.call('GET', KEYS[2]) or ARGV[3]";
const withoutFloor = patched("raise-register-floor", "if floor < ARGV[2] then", "if false then");
const withoutPromiseCheck = (instead: string) =>
  patched(
    "remove-register",
    "if string.sub(head, 1, 37) >= (fence[5] or NONE) then return { 0 } end",
    instead,
  );

/** Registers without one of their rules. */
export const REGISTER_CANARIES: readonly Canary[] = [
  {
    name: "a ballot reused for another value",
    breaks,
    from: 1,
    // What was promised is lost with primaries, and what was proposed with instances.
    replan: (one) => ({
      ...busy(one, { thinkMs: 15, lastsMs: 2_000 }),
      instances: 3,
      weather: { ...CALM, delayMs: [0.1, 8] },
      faults: [
        ...again("instance is replaced", { times: 10, forMs: 20, untilMs: 2_000 }),
        ...again("primary restarts empty", { times: 8, forMs: 40, untilMs: 2_000 }),
      ],
    }),
    change: (core, { clock }) => {
      const ballots = { ...clock, wallMicros: () => 0 };
      const ids = { hexNonce: () => "0".repeat(24) };
      useRegisters(core, new Changes(core.primaries, KEYS, ballots, () => 0.5, ids));
    },
  },
  {
    name: "accept without compare",
    breaks,
    from: 1,
    replan,
    substitute: patched("accept-register", "if promised > ARGV[2] then return { 0, promised } end", ""),
  },
  {
    name: "registers are read from one primary",
    breaks,
    from: 1,
    replan,
    change: (core, { clock }) => {
      const one = new Registers(core.registers.changes, ofOne(core.primaries), KEYS, clock, () => 0.5);
      core.registers.state = (name) => one.state(name);
    },
  },
  {
    name: "a quorum of one changes a register",
    breaks,
    from: 1,
    replan,
    change: (core, instance) => useRegisters(core, changesOf(instance, ofOne(core.primaries))),
  },
  {
    name: "a TTL in Redis ends a register",
    breaks,
    from: 1,
    // One primary misses what ends, and is asked before the next change of it.
    replan: (one) => ({
      ...removing(one, { keys: 12, thinkMs: 15, lastsMs: 2_500, goneForMs: 1_000, everyMs: 100 }),
      faults: again("primary pauses", { times: 10, forMs: 180, untilMs: 2_500 }),
    }),
    substitute: patched(
      "accept-register",
      "ends .. ARGV[6] .. '0' .. ARGV[7])",
      "ends .. ARGV[6] .. '0' .. ARGV[7])\nif ARGV[5] ~= '' then redis.call('PEXPIRE', KEYS[2], math.max(1, tonumber(ARGV[5]))) end",
    ),
  },
  {
    name: "only the last idempotency key is remembered",
    breaks,
    from: 1,
    replan,
    substitute: LAST_KEY_ONLY,
  },
  {
    name: "readmission that keeps its own registers",
    breaks,
    from: 3,
    // What was removed everywhere comes back with a primary that lost that.
    replan: (one) => ({
      ...removing(one, { keys: 16, thinkMs: 70, lastsMs: 3_000 }),
      faults: again("primary restarts with a cut tail", { times: 3, forMs: 20, untilMs: 3_000 }),
    }),
    substitute: patched(
      "drop-registers",
      "'registers_of') == ARGV[1] then return { 0 } end\nfor i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end",
      "'registers_of') == ARGV[1] then return { 0 } end",
    ),
  },
  {
    name: "registers are not copied at readmission",
    breaks,
    from: 1,
    // One primary after the other forgets: without a copy two of them are a majority that knows nothing.
    replan: (one) => ({
      ...removing(one, { keys: 8, thinkMs: 100, lastsMs: 4_500 }),
      faults: again("primary restarts empty", { times: 8, forMs: 20, untilMs: 4_500 }),
    }),
    substitute: patched(
      "restore-register",
      "local stored = redis.call('GET', KEYS[2]) or ARGV[3]",
      NOT_COPIED,
    ),
  },
  {
    name: "registers are removed and the floor is not raised",
    breaks,
    from: 1,
    // What was on its way over a connection that broke may arrive much later.
    replan: (one) => ({
      ...removing(one, { keys: 8, thinkMs: 15, lastsMs: 2_500, goneForMs: 10, everyMs: 5 }),
      weather: { ...CALM, delayMs: [0.1, 5] },
      faults: again("connection breaks", { times: 40, forMs: 5, untilMs: 2_500 }),
    }),
    substitute: (text) => withoutPromiseCheck("")(withoutFloor(text)),
  },
  {
    name: "registers are removed with the floor below a promise",
    breaks,
    from: 1,
    // Many instances, whose clocks differ by more than a change takes.
    replan: (one) => ({
      ...removing(one, { keys: 4, thinkMs: 12, lastsMs: 2_000, goneForMs: 10, everyMs: 4 }),
      instances: 3,
      weather: { ...CALM, delayMs: [0.1, 8] },
      faults: [],
    }),
    substitute: (text) =>
      withoutPromiseCheck(
        "if (fence[5] or NONE) < ARGV[3] then redis.call('HSET', KEYS[1], 'register_floor', ARGV[3]) end",
      )(withoutFloor(text)),
  },
  {
    name: "a tombstone goes before the idempotency keys that it remembers",
    breaks,
    from: 1,
    // One try of a change waits in an instance that is frozen, while another is made.
    replan: (one) => ({
      ...removing(one, { keys: 8, thinkMs: 20, lastsMs: 3_000, goneForMs: 10, everyMs: 5, keyed: true }),
      instances: 2,
      faults: again("instance freezes", { times: 10, forMs: 250, untilMs: 3_000 }),
    }),
    substitute: patched("remove-register", "if now() < tonumber(ARGV[4]) then", "if false then"),
  },
];

/** Registers that come and go; what is left of them is removed all the time. */
function removing(
  plan: Plan,
  {
    thinkMs,
    lastsMs,
    ...removal
  }: Partial<Removal> & Pick<Removal, "keys"> & { readonly thinkMs: number; readonly lastsMs: number },
): Plan {
  return { ...busy(plan, { thinkMs, lastsMs }), removal: { goneForMs: 20, everyMs: 10, ...removal } };
}

/** Registers in a deployment of three primaries, and nothing that the seed decided beside. */
function busy(
  plan: Plan,
  { thinkMs, lastsMs }: { readonly thinkMs: number; readonly lastsMs: number },
): Plan {
  return {
    ...onlyRegisters(plan),
    primaries: 3,
    changing: 0,
    bound: 0,
    start: "warm",
    weather: CALM,
    thinkMs,
    faultsMs: lastsMs,
  };
}

function again(
  kind: FaultKind,
  { times, forMs, untilMs }: { readonly times: number; readonly forMs: number; readonly untilMs: number },
) {
  return Array.from({ length: times }, (_, i) => ({ kind, atMs: ((i + 0.5) / times) * untilMs, forMs }));
}

const KEYS = new Keys("q:");

function changesOf({ clock, ids }: Instance, primaries: Primaries): Changes {
  return new Changes(primaries, KEYS, clock, () => 0.5, ids);
}

function useRegisters(core: Core, changes: Changes): void {
  Object.assign(core.registers, { changes });
}

/** For these a majority is one. */
function ofOne(primaries: Primaries): Primaries {
  const all = { all: primaries.all, majority: 1 };
  const steadily: Primaries["steadily"] = (run) => primaries.steadily(run);
  return { ...all, steadily, noQuorum: () => primaries.noQuorum() } as Primaries;
}
