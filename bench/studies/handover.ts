/**
 * Time of a handover: from the release of a lock by one client to its grant to the next waiter, compared with npm's
 * redlock on the same primaries and etcd's own lock, taking turns within one run.
 *   npx tsx bench/studies/handover.ts [--handovers 300] [--waiters 10,1] [--fsync always|everysec|no]
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { startPrimaries } from "../../test/helpers/primaries.js";
import { median, quantile } from "../comparison/statistics.js";
import { etcdLock, handovers, type Peer, quorate, redlock } from "../load/handovers.js";
import { startInstanceProcess } from "../machine/process.js";
import { serverVersion } from "../machine/servers.js";
import { startEtcd } from "../peers/etcd.js";

const { values } = parseArgs({
  options: {
    handovers: { type: "string", default: "300" },
    waiters: { type: "string", default: "10,1" },
    /** Of the primaries: `always` is what docs/guarantees.md asks for, and what etcd does. `no`: nothing is written to disk. */
    fsync: { type: "string", default: "always" },
  },
});
const A_ROUND = 30;
/** Warm-up: a service that has run for a minute is long past it. */
const WARM_UP_MS = 3_000;
const total = Number(values.handovers);
process.env.TEST_REDIS = "process";

const persistence = values.fsync === "no" ? ["--appendonly", "no"] : ["--appendfsync", values.fsync];
await using primaries = await startPrimaries(3, { args: persistence });
await using etcd = await startEtcd();
await using service = await startInstanceProcess({ REDIS_URLS: primaries.urls.join(",") });

const withEtcd = etcd
  ? `etcd ${etcd.version}, three nodes, its defaults`
  : "etcd is not installed (apt-get install etcd-server): skipped";
print(
  `Node ${process.versions.node}, ${availableParallelism()} cores; three ${await serverVersion()}, appendfsync ${values.fsync}`,
);
print(`redlock 5.0.0-beta.2, its defaults (retryDelay 200, retryJitter 100); ${withEtcd}`);
for (const waiters of values.waiters.split(",").map(Number)) await compare(waiters);

/** All contenders in turn, with this many waiters. */
async function compare(waiters: number): Promise<void> {
  const clients = waiters + 1;
  const name = `handover-${waiters}`;
  const peers: Peer[] = [quorate(service.url, name), redlock(primaries.urls, name, clients)];
  if (etcd) peers.push(await etcdLock(etcd.urls, name, clients));
  const timesMs = peers.map((): number[] => []);
  for (const peer of peers) {
    const endMs = performance.now() + WARM_UP_MS;
    await handovers(peer, clients, () => performance.now() > endMs);
  }
  for (let round = 0; round * A_ROUND < total; round++) {
    const count = Math.min(A_ROUND, total - round * A_ROUND);
    for (let turn = 0; turn < peers.length; turn++) {
      // The first contender changes, so that drift within a round cancels out.
      const place = (round + turn) % peers.length;
      const peer = peers[place] as Peer;
      timesMs[place]?.push(...(await handovers(peer, clients, (sofar) => sofar.length >= count)));
    }
  }
  for (const peer of peers) peer.close();
  print(`${total} handovers each, ${waiters} waiting, in rounds of ${A_ROUND}`);
  const ours = median(timesMs[0] ?? []);
  peers.forEach(({ label }, place) => {
    const all = timesMs[place] ?? [];
    const [p50, p90, p99] = [0.5, 0.9, 0.99].map((q) => quantile(all, q).toFixed(2));
    const beside = place === 0 ? "" : `; its median is ${(median(all) / ours).toFixed(1)} times Quorate's`;
    print(`  ${label.padEnd(7)}  p50 ${p50} ms, p90 ${p90} ms, p99 ${p99} ms${beside}`);
  });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
