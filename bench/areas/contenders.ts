import type { Contender } from "../comparison/rounds.js";
import type { Sample } from "../load/closed-loop.js";
import type { Job, Work } from "../load/jobs.js";
import { zooKeeperModule } from "../load/zookeeper-workload.js";
import type { Cleanup } from "../machine/cleanup.js";
import type { Instance } from "../machine/deployment.js";
import { type ServerProcess, startPeer } from "../machine/process.js";
import { type Etcd, startEtcd } from "../peers/etcd.js";
import { startZooKeeper, type ZooKeeper } from "../peers/zookeeper.js";
import { BEFORE, type Bench, NOW } from "./area.js";

/** A contender whose turn is a job of the load generator. With `server`, its processor time per cycle is told, too. */
export function byLoad(
  { load }: Bench,
  { id, label }: Pick<Contender, "id" | "label">,
  job: (ms: number) => Job,
  server?: ServerProcess,
): Contender {
  return {
    id,
    label,
    turn: async (ms) => {
      const before = await server?.usage();
      const sample = await load.run(job(ms));
      const after = await server?.usage();
      return before && after ? { ...sample, ...cpuPerCycle(sample, after.cpuMs - before.cpuMs, ms) } : sample;
    },
  };
}

/** In a closed loop, where all processor time is that of the cycles. */
function cpuPerCycle({ perSecond }: Sample, cpuMs: number, ms: number): Pick<Sample, "cpuMicros"> {
  return perSecond ? { cpuMicros: (cpuMs * 1_000) / ((perSecond * ms) / 1_000) } : {};
}

export const closed = (work: Work, clients: number) => (ms: number) =>
  ({ mode: "closed", work, clients, ms }) as const;

/** This service and the state before it, doing `job`. */
export function services(
  bench: Bench,
  instances: readonly Instance[],
  job: (url: string) => (ms: number) => Job,
  { suffix = "", label = "" } = {},
): Contender[] {
  return instances.map(({ isBefore, process }) =>
    byLoad(
      bench,
      {
        id: `${isBefore ? BEFORE : NOW}${suffix}`,
        label: `${isBefore ? `before: ${bench.before?.label}` : "this service"}${label}`,
      },
      job(process.url),
      process,
    ),
  );
}

export interface FiftyLines {
  readonly auto: ServerProcess;
  readonly plain: ServerProcess;
}

export async function startFiftyLines(urls: readonly string[], cleanup: Cleanup): Promise<FiftyLines> {
  const start = async (pipelining: string) =>
    cleanup.add(
      await startPeer("bench/peers/fifty-lines.ts", {
        REDIS_URLS: urls.join(","),
        AUTO_PIPELINING: pipelining,
      }),
    );
  return { auto: await start("1"), plain: await start("0") };
}

export async function startNoOp(cleanup: Cleanup): Promise<ServerProcess> {
  return cleanup.add(await startPeer("bench/peers/no-op.ts", {}));
}

/** `urls`: of the primaries. */
export async function startNoOpRoute(urls: readonly string[], cleanup: Cleanup): Promise<ServerProcess> {
  return cleanup.add(await startPeer("bench/peers/no-op-route.ts", { REDIS_URLS: urls.join(",") }));
}

/** etcd and ZooKeeper, where they are installed. */
export async function startClusters(
  bench: Bench,
  cleanup: Cleanup,
): Promise<{ etcd: Etcd | null; zooKeeper: ZooKeeper | null }> {
  if (!bench.peers) return { etcd: null, zooKeeper: null };
  bench.progress("starting etcd and ZooKeeper");
  const etcd = cleanup.add(await startEtcd());
  if (!etcd) bench.missing("etcd is not installed: apt-get install etcd-server");
  const client = await zooKeeperModule();
  if (!client) bench.missing("the client of ZooKeeper is not installed: npm ci");
  const zooKeeper = client && cleanup.add(await startZooKeeper());
  if (client && !zooKeeper)
    bench.missing("ZooKeeper is not installed: apt-get install zookeeperd (its own service need not run)");
  return { etcd, zooKeeper };
}
