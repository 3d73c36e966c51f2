import { Primaries } from "../../src/quorum/primaries.js";
import type { Primary } from "../../src/redis/primary.js";

/** These primaries, whose configuration stays as it is. */
export const steadyPrimaries = (all: readonly Primary[], deployment = ""): Primaries =>
  new Primaries(all, {
    version: 1,
    deployment,
    floor: 0,
    outdated: null,
    catchUp: async () => true,
    fencedOut: () => 0,
    fenceOutAbsent: async () => {},
  });
