import { type Contender, type Figure, times } from "../comparison/rounds.js";
import type { Cleanup } from "../machine/cleanup.js";
import { type Deployment, startDeployment } from "../machine/deployment.js";
import { type Area, BEFORE, type Bench, NOW } from "./area.js";
import { byLoad, closed, services, startClusters, startFiftyLines, startNoOp } from "./contenders.js";

/** Acquire and release by 64 clients, 256 clients and one. */
export const locks: Area = {
  name: "locks",
  about: "acquire and release, each client on names of its own",
  prepare: async (bench, cleanup) => {
    const deployment = await startDeployment(bench, cleanup);
    const contenders = CLIENTS.flatMap((clients) =>
      services(bench, deployment.instances, (url) => closed({ kind: "locks", url }, clients), {
        suffix: `-${clients}`,
        label: `, ${named(clients)}`,
      }),
    );
    if (bench.peers) contenders.push(...(await peers(bench, cleanup, deployment)));
    return {
      settings: [
        "three primaries without persistence",
        ...(bench.peers ? ["etcd and ZooKeeper: three nodes each, their defaults"] : []),
      ],
      contenders,
      figures: FIGURES,
    };
  },
};

const CLIENTS = [64, 256, 1];
const named = (clients: number) => (clients === 1 ? "1 client" : `${clients} clients`);

async function peers(bench: Bench, cleanup: Cleanup, { urls }: Deployment): Promise<Contender[]> {
  const fifty = await startFiftyLines(urls, cleanup);
  const noOp = await startNoOp(cleanup);
  const { etcd, zooKeeper } = await startClusters(bench, cleanup);
  const overHttp = (id: string, label: string, server: typeof noOp) => (clients: number) =>
    byLoad(
      bench,
      { id: `${id}-${clients}`, label: `${label}, ${named(clients)}` },
      closed({ kind: "locks", url: server.url }, clients),
      server,
    );
  const own = (id: string, label: string, work: Parameters<typeof closed>[0]) => (clients: number) =>
    byLoad(bench, { id: `${id}-${clients}`, label: `${label}, ${named(clients)}` }, closed(work, clients));
  const auto = overHttp("fifty", "fifty lines, auto-pipelining", fifty.auto);
  const plain = overHttp("fifty-plain", "fifty lines, plain", fifty.plain);
  const redlock = own("redlock", "redlock in process", { kind: "redlock", urls });
  const ceiling = overHttp("no-op", "no-op POSTs", noOp);
  const scripts = own("evalsha", "EVALSHA on one primary, pipelined", {
    kind: "scripts",
    url: urls[0] ?? "",
  });
  const all = [64, 256, 1].map(auto).concat(plain(64), redlock(64), redlock(1), ceiling(64), ceiling(1));
  if (etcd) all.push(...[64, 1].map(own("etcd", "etcd", { kind: "etcd", urls: etcd.urls })));
  if (zooKeeper)
    all.push(
      ...[64, 1].map(own("zookeeper", "ZooKeeper", { kind: "zookeeper", servers: zooKeeper.servers })),
    );
  return [...all, scripts(64)];
}

const rate = (label: string, id: string, goal?: Figure["goal"], clients = 64) =>
  times(
    `throughput, ${named(clients)}, against ${label}`,
    "perSecond",
    [`${NOW}-${clients}`, `${id}-${clients}`],
    goal,
  );
const p50 = (label: string, id: string, goal?: Figure["goal"]) =>
  times(`p50 of an acquire, 1 client, against ${label}`, "p50Ms", [`${NOW}-1`, `${id}-1`], goal);

const FIGURES: readonly Figure[] = [
  rate("before", BEFORE),
  rate("the fifty lines, auto-pipelining", "fifty", { atLeast: 0.55 }),
  rate("the fifty lines, plain", "fifty-plain"),
  rate("redlock in process", "redlock", { atLeast: 0.4 }),
  rate("etcd", "etcd", { atLeast: 3 }),
  rate("ZooKeeper", "zookeeper"),
  rate("no-op POSTs", "no-op"),
  rate("EVALSHA on one primary", "evalsha"),
  times("processor time of the service per pair, 64 clients, against before", "cpuMicros", [
    `${NOW}-64`,
    `${BEFORE}-64`,
  ]),
  rate("before", BEFORE, undefined, 256),
  rate("the fifty lines, auto-pipelining", "fifty", undefined, 256),
  {
    label: "share of the fifty lines with 256 clients, against that with 64",
    goal: { atLeast: 0.95 },
    of: (sample) => {
      const share = (clients: number) =>
        (sample(`${NOW}-${clients}`).perSecond ?? 0) / (sample(`fifty-${clients}`).perSecond ?? 0);
      return share(256) / share(64);
    },
  },
  p50("before", BEFORE),
  p50("the fifty lines, auto-pipelining", "fifty", { atMost: 2 }),
  p50("redlock in process", "redlock"),
  p50("etcd", "etcd"),
  p50("ZooKeeper", "zookeeper"),
  p50("no-op POSTs", "no-op"),
  times("p99 of an acquire, 1 client, against the fifty lines, auto-pipelining", "p99Ms", [
    `${NOW}-1`,
    "fifty-1",
  ]),
];
