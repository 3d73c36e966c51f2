import { type Figure, times } from "../comparison/rounds.js";
import type { Work } from "../load/jobs.js";
import { startDeployment } from "../machine/deployment.js";
import { type Area, BEFORE, type Bench, NOW } from "./area.js";
import { byLoad, closed, services, startFiftyLines } from "./contenders.js";

/** Latencies at a fixed rate, whatever the responses. */
export const open: Area = {
  name: "open",
  about: "latency of an acquire at a fixed rate of pairs, from the moment at which it was due",
  prepare: async (bench, cleanup) => {
    const { instances, urls } = await startDeployment(bench, cleanup);
    const url = instances[0]?.process.url ?? "";
    const rate = bench.rate ?? (await sustainable(bench, { kind: "locks", url })) * SHARE;
    const job = (url: string) => (ms: number) =>
      ({ mode: "open", work: { kind: "locks", url }, clients: CONNECTIONS, rate, ms }) as const;
    const contenders = services(bench, instances, job);
    if (bench.peers) {
      const { auto } = await startFiftyLines(urls, cleanup);
      contenders.push(
        byLoad(bench, { id: "fifty", label: "fifty lines, auto-pipelining" }, job(auto.url), auto),
      );
    }
    const chosen = bench.rate === undefined ? `, ${100 * SHARE} % of what 64 clients reach` : "";
    return {
      settings: [
        `${rate.toFixed(0)} pairs per second${chosen}, at most ${CONNECTIONS} at a time`,
        "three primaries without persistence",
      ],
      contenders,
      figures: [...against("the fifty lines, auto-pipelining", "fifty"), ...against("before", BEFORE)],
    };
  },
};

function against(label: string, id: string): Figure[] {
  return [
    times(`p50 against ${label}`, "p50Ms", [NOW, id]),
    times(`p99 against ${label}`, "p99Ms", [NOW, id]),
    times(`p99.9 against ${label}`, "p999Ms", [NOW, id]),
  ];
}

async function sustainable({ load }: Bench, work: Work): Promise<number> {
  await load.run(closed(work, 64)(1_000));
  return (await load.run(closed(work, 64)(1_000))).perSecond ?? 1_000;
}

/** Of the rate of a closed loop. Near that rate the queue is what is measured, and not the service. */
const SHARE = 0.4;
const CONNECTIONS = 256;
