import { type Contender, times } from "../comparison/rounds.js";
import { startDeployment } from "../machine/deployment.js";
import { TRACE_ALLOCATIONS } from "../machine/process.js";
import { type Area, BEFORE, NOW } from "./area.js";
import { closed, services } from "./contenders.js";

/** What a pair of acquire and release leaves to the garbage collector of the service. */
export const garbage: Area = {
  name: "garbage",
  about: "bytes allocated by the service per pair of acquire and release",
  prepare: async (bench, cleanup) => {
    const { instances } = await startDeployment(bench, cleanup, { node: TRACE_ALLOCATIONS });
    const plain = services(bench, instances, (url) => closed({ kind: "locks", url }, 64));
    const contenders = plain.map((contender, at): Contender => {
      const allocated = () => instances[at]?.process.allocatedBytes() ?? Number.NaN;
      return {
        ...contender,
        turn: async (ms) => {
          const before = allocated();
          // Neither its rate nor its processor time is typical: it reports each collection.
          const { perSecond = 0, refused = 0 } = await contender.turn(ms);
          return { garbageBytes: (allocated() - before) / ((perSecond * ms) / 1_000), refused };
        },
      };
    });
    return {
      settings: [
        "64 clients",
        "three primaries without persistence",
        `node ${TRACE_ALLOCATIONS.join(" ")}`,
        "exact to 16 MB per turn",
      ],
      contenders,
      figures: [
        {
          label: "garbage per pair of acquire and release",
          unit: "bytes",
          of: (sample) => sample(NOW).garbageBytes ?? Number.NaN,
        },
        times("garbage against before", "garbageBytes", [NOW, BEFORE]),
      ],
    };
  },
};
