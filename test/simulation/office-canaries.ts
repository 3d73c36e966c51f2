import { ConsensusElections } from "../../src/primitives/consensus-elections.js";
import type { Changes } from "../../src/primitives/registers/changes.js";
import type { Decision, Moment, State } from "../../src/primitives/registers/proposals.js";
import type { Canary } from "./canaries.js";
import { onlyOffices } from "./plan.js";

/** Elections by consensus without one of their rules. */
export const OFFICE_CANARIES: readonly Canary[] = [
  {
    name: "an office is taken over without compare",
    breaks: ["tokens", "elections", "holds"],
    from: 1,
    replan: onlyOffices,
    change: (core, { clock, ids, settings }) => {
      const { registers, primaries } = core;
      // What follows from an earlier read, whatever the register has become since.
      const change = async <R>(name: string, fn: (state: State, moment: Moment) => Decision<R>) => {
        const nowMs = clock.wallMicros() / 1_000;
        const decision = fn(await registers.state(name), { isOver: false, nowMs, earliestMs: nowMs });
        return registers.changes.change(name, () => decision);
      };
      const unsafe = {
        changes: { change } as unknown as Changes,
        inspect: registers.inspect.bind(registers),
        until: registers.until.bind(registers),
      };
      const consensusElections = new ConsensusElections(unsafe, primaries, clock, ids, settings.ttlMaxMs);
      Object.assign(core, { consensusElections });
    },
  },
];
