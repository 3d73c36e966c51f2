import { type Figure, times } from "../comparison/rounds.js";
import type { HandedOver } from "../load/jobs.js";
import { startDeployment } from "../machine/deployment.js";
import { type Area, BEFORE, NOW } from "./area.js";
import { byLoad, closed, services, startClusters } from "./contenders.js";

/** From the release of a lock by one client to its grant to the next of ten waiters. */
export const handover: Area = {
  name: "handover",
  about: "from a release to the grant to the next of 10 waiters",
  prepare: async (bench, cleanup) => {
    const { instances, urls } = await startDeployment(bench, cleanup, { persistence: "always" });
    const { etcd, zooKeeper } = await startClusters(bench, cleanup);
    const url = instances[0]?.process.url ?? "";
    const contenders = [
      ...services(bench, instances, (url) => handed({ kind: "quorate", url })),
      byLoad(
        bench,
        { id: "livez", label: "GET /livez, 1 client" },
        closed({ kind: "get", url, path: "/livez" }, 1),
      ),
      byLoad(
        bench,
        { id: "fsync", label: "a write with fsync on one primary" },
        closed({ kind: "writes", url: urls[0] ?? "" }, 1),
      ),
      // What a handover is made of, as it meets it: all processes sleep while a lock is held.
      byLoad(
        bench,
        { id: "livez-paused", label: "GET /livez, after a pause" },
        closed({ kind: "paused", work: { kind: "get", url, path: "/livez" } }, 1),
      ),
      byLoad(
        bench,
        { id: "fsync-paused", label: "a write with fsync on a majority of all primaries, after a pause" },
        closed({ kind: "paused", work: { kind: "majority-writes", urls } }, 1),
      ),
    ];
    if (etcd)
      contenders.push(
        byLoad(bench, { id: "etcd", label: "etcd" }, handed({ kind: "etcd", urls: etcd.urls })),
      );
    if (zooKeeper)
      contenders.push(
        byLoad(
          bench,
          { id: "zookeeper", label: "ZooKeeper" },
          handed({ kind: "zookeeper", servers: zooKeeper.servers }),
        ),
      );
    return {
      settings: [
        "10 waiters",
        "three primaries, appendfsync always",
        ...(bench.peers ? ["etcd and ZooKeeper: their defaults"] : []),
      ],
      contenders,
      figures: FIGURES,
    };
  },
};

const handed = (lock: HandedOver) => (ms: number) => ({ mode: "handovers", lock, waiters: 10, ms }) as const;

const FIGURES: readonly Figure[] = [
  {
    label: "p50 less one write with fsync, against GET /livez",
    goal: { atMost: 2.2 },
    of: (sample) =>
      ((sample(NOW).p50Ms ?? 0) - (sample("fsync").p50Ms ?? 0)) / (sample("livez").p50Ms ?? Number.NaN),
  },
  {
    label: "p50 against GET /livez and one write with fsync together",
    of: (sample) =>
      (sample(NOW).p50Ms ?? 0) / ((sample("livez").p50Ms ?? 0) + (sample("fsync").p50Ms ?? Number.NaN)),
  },
  {
    label: "p50 against GET /livez and a write on a majority together, both after a pause",
    of: (sample) =>
      (sample(NOW).p50Ms ?? 0) /
      ((sample("livez-paused").p50Ms ?? 0) + (sample("fsync-paused").p50Ms ?? Number.NaN)),
  },
  times("p50 against before", "p50Ms", [NOW, BEFORE]),
  times("p50 of etcd against this", "p50Ms", ["etcd", NOW], { atLeast: 2 }),
  times("p50 of ZooKeeper against this", "p50Ms", ["zookeeper", NOW]),
];
