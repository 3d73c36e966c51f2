import { Redis } from "ioredis";
import { type Figure, times } from "../comparison/rounds.js";
import { startDeployment } from "../machine/deployment.js";
import { type Area, type Bench, NOW } from "./area.js";
import { closed, services } from "./contenders.js";

/** Many live locks: what they take of a primary's memory, and whether they slow down an acquire. */
export const many: Area = {
  name: "many",
  about: "an acquire on a store with many live locks, against an empty one",
  prepare: async (bench, cleanup) => {
    const alone: Bench = { ...bench, before: null };
    const full = await startDeployment(alone, cleanup);
    const empty = await startDeployment(alone, cleanup);
    const [instance] = full.instances;
    if (!instance) throw new Error("no instance");
    const emptyBytes = await usedBytes(full.urls);
    await fillUp(bench, instance.process.url);
    const fullBytes = await usedBytes(full.urls);
    const job = (url: string) => closed({ kind: "locks", url }, 1);
    const { residentMb: fullMb } = await instance.process.usage();
    return {
      settings: [
        `${bench.locks.toLocaleString("en")} live locks`,
        "1 client",
        "three primaries without persistence",
      ],
      contenders: [
        ...services(alone, full.instances, job, { suffix: "-full", label: ", full" }),
        ...services(alone, empty.instances, job, { suffix: "-empty", label: ", empty" }),
      ],
      figures: [
        times(
          "p50 of an acquire on the full store against the empty one",
          "p50Ms",
          [`${NOW}-full`, `${NOW}-empty`],
          {
            atMost: 1.3,
          },
        ),
        times("p99 of the same", "p99Ms", [`${NOW}-full`, `${NOW}-empty`]),
        bytes("memory of a primary per lock", (fullBytes - emptyBytes) / bench.locks, { atMost: 611 }),
      ],
      after: async () => {
        const emptyMb = (await empty.instances[0]?.process.usage())?.residentMb ?? Number.NaN;
        const memory: Figure = {
          label: "resident memory of the service after the fill, against the one with an empty store",
          of: () => fullMb / emptyMb,
        };
        return bench.untilGone ? [memory, await gone(bench, full.urls, { emptyBytes, fullBytes })] : [memory];
      },
    };
  },
};

function bytes(label: string, value: number, goal?: Figure["goal"]): Figure {
  return { label, unit: "bytes", ...(goal && { goal }), of: () => value };
}

async function fillUp(bench: Bench, url: string): Promise<void> {
  for (let from = 0; from < bench.locks; from += PORTION) {
    const count = Math.min(PORTION, bench.locks - from);
    bench.progress(`filling: ${from.toLocaleString("en")} of ${bench.locks.toLocaleString("en")} locks`);
    await bench.load.run({ mode: "fill", url, from, count, ttlMs: TTL_MS });
  }
}

/** Share of the memory that is back a minute after the last lock has ended. Counters of names stay. */
async function gone(
  bench: Bench,
  urls: readonly string[],
  { emptyBytes, fullBytes }: { emptyBytes: number; fullBytes: number },
): Promise<Figure> {
  const endMs = performance.now() + TTL_MS + 60_000;
  for (let leftMs = TTL_MS + 60_000; leftMs > 0; leftMs = endMs - performance.now()) {
    bench.progress(`waiting until the locks have ended: ${Math.ceil(leftMs / 1_000)} s left`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, 5_000)));
  }
  const back = (100 * (fullBytes - (await usedBytes(urls)))) / (fullBytes - emptyBytes);
  return {
    label: "memory that is back a minute after the locks have ended",
    unit: "%",
    of: () => back,
  };
}

/** Memory that a primary uses, the mean of all. */
async function usedBytes(urls: readonly string[]): Promise<number> {
  const all = await Promise.all(
    urls.map(async (url) => {
      const redis = new Redis(url, { protocol: 2 });
      try {
        const info = await redis.info("memory");
        return Number(/used_memory:(\d+)/.exec(info)?.[1]);
      } finally {
        redis.disconnect();
      }
    }),
  );
  return all.reduce((sum, one) => sum + one, 0) / all.length;
}

const PORTION = 20_000;
/** The default of QUORATE_TTL_MAX_MS. */
const TTL_MS = 600_000;
