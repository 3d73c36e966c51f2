import { type Figure, times } from "../comparison/rounds.js";
import { startDeployment } from "../machine/deployment.js";
import { type Area, NOW } from "./area.js";
import { byLoad, closed } from "./contenders.js";

/** What our client costs: the same service, the same `fetch`, with `withLock` and without. */
export const client: Area = {
  name: "client",
  about: "withLock of quorate/client against acquire and release by fetch alone",
  prepare: async (bench, cleanup) => {
    const { instances } = await startDeployment({ before: null }, cleanup);
    const url = instances[0]?.process.url ?? "";
    const contenders = CLIENTS.flatMap((clients) =>
      (["with-lock", "fetch"] as const).map((kind) =>
        byLoad(
          bench,
          {
            id: idOf(kind, clients),
            label: `${kind === "fetch" ? "fetch alone" : "withLock"}, ${named(clients)}`,
          },
          closed({ kind, url }, clients),
        ),
      ),
    );
    return {
      settings: ["three primaries without persistence", "one process of Node.js, and its fetch"],
      contenders,
      figures: CLIENTS.flatMap((clients) => {
        const ids = [idOf("with-lock", clients), idOf("fetch", clients)] as const;
        const name = `${named(clients)}, withLock against fetch alone`;
        return [
          times(`p50 of a pair, ${name}`, "p50Ms", ids, { atMost: 1.25 }),
          times(`throughput, ${name}`, "perSecond", ids, { atLeast: 0.8 }),
          processorTime(`processor time of the client, ${name}`, ids),
        ];
      }),
    };
  },
};

/** The load generator does nothing else; other programs on the machine disturb this least. */
function processorTime(label: string, [of, to]: readonly [string, string]): Figure {
  return {
    label,
    goal: { atMost: 1.25 },
    of: (sample) => {
      const perPair = (id: string) =>
        (sample(id).loadCpu ?? Number.NaN) / (sample(id).perSecond ?? Number.NaN);
      return perPair(of) / perPair(to);
    },
  };
}

const CLIENTS = [1, 16];
const named = (clients: number) => (clients === 1 ? "1 client" : `${clients} clients`);
const idOf = (kind: "with-lock" | "fetch", clients: number) =>
  `${kind === "fetch" ? "fetch" : NOW}-${clients}`;
