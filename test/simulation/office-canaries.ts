import { ConsensusElections } from "../../src/primitives/consensus-elections.js";
import type { Canary } from "./canaries.js";
import { withoutCompare } from "./canaries-on-registers.js";
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
      const unsafe = {
        changes: withoutCompare(core, { clock }),
        inspect: registers.inspect.bind(registers),
        until: registers.until.bind(registers),
      };
      const consensusElections = new ConsensusElections(unsafe, primaries, clock, ids, settings.ttlMaxMs);
      Object.assign(core, { consensusElections });
    },
  },
];
