import { Changes } from "../../src/primitives/registers/changes.js";
import { Registers } from "../../src/primitives/registers/registers.js";
import type { Primaries } from "../../src/quorum/primaries.js";
import { Keys } from "../../src/scripts/keys.js";
import type { Core } from "../../src/service.js";
import type { Canary } from "./canaries.js";
import type { Instance } from "./instance.js";
import { patched } from "./patched.js";
import { onlyRegisters } from "./plan.js";

const breaks = ["registers"];
const replan = onlyRegisters;

/** Registers without one of their rules. */
export const REGISTER_CANARIES: readonly Canary[] = [
  {
    name: "a ballot reused for another value",
    breaks,
    from: 87,
    replan,
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
    replan,
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
    substitute: patched(
      "accept-register",
      "redis.call('SET', KEYS[2], ARGV[2] .. ARGV[2] .. etag",
      "ARGV[7] = string.gsub(ARGV[7], '^(%d+ %S+ )%[(%b[])[^\\n]*\\n', '%1[%2]\\n')\n" +
        "redis.call('SET', KEYS[2], ARGV[2] .. ARGV[2] .. etag",
    ),
  },
];

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
