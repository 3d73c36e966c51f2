import { times } from "../comparison/rounds.js";
import { startDeployment } from "../machine/deployment.js";
import { type Area, BEFORE, NOW } from "./area.js";
import { byLoad, closed, services, startClusters } from "./contenders.js";

/** Primaries that write to disk before they answer. */
export const fsync: Area = {
  name: "fsync",
  about: "acquire and release by 64 clients with appendfsync always",
  prepare: async (bench, cleanup) => {
    const job = (url: string) => closed({ kind: "locks", url }, 64);
    const durable = await startDeployment(bench, cleanup, { persistence: "always" });
    const volatile = await startDeployment({ before: null }, cleanup);
    const { etcd, zooKeeper } = await startClusters(bench, cleanup);
    const contenders = [
      ...services(bench, durable.instances, job),
      ...services(bench, volatile.instances, job, { suffix: "-off", label: ", no persistence" }),
    ];
    if (etcd)
      contenders.push(
        byLoad(bench, { id: "etcd", label: "etcd" }, closed({ kind: "etcd", urls: etcd.urls }, 64)),
      );
    if (zooKeeper)
      contenders.push(
        byLoad(
          bench,
          { id: "zookeeper", label: "ZooKeeper" },
          closed({ kind: "zookeeper", servers: zooKeeper.servers }, 64),
        ),
      );
    return {
      settings: [
        "64 clients",
        "three primaries, appendfsync always",
        ...(bench.peers ? ["etcd and ZooKeeper: their defaults"] : []),
      ],
      contenders,
      figures: [
        times("throughput against etcd", "perSecond", [NOW, "etcd"], { atLeast: 2.5 }),
        times("throughput against ZooKeeper", "perSecond", [NOW, "zookeeper"]),
        times("throughput against no persistence", "perSecond", [NOW, `${NOW}-off`]),
        times("throughput against before", "perSecond", [NOW, BEFORE]),
      ],
    };
  },
};
