import { times } from "../comparison/rounds.js";
import { startDeployment } from "../machine/deployment.js";
import { startEtcd } from "../peers/etcd.js";
import { type Area, NOW } from "./area.js";
import { byLoad, closed, services } from "./contenders.js";

const CLIENTS = 64;

/** Writes and reads of registers, beside those of etcd's key-value store: both write to disk before they answer. */
export const registers: Area = {
  name: "registers",
  about: "writes and reads of registers by 64 clients, each with keys of its own, with appendfsync always",
  prepare: async (bench, cleanup) => {
    // The state before may have no registers.
    const { instances } = await startDeployment({ before: null }, cleanup, { persistence: "always" });
    const etcd = bench.peers ? cleanup.add(await startEtcd()) : null;
    if (bench.peers && !etcd) bench.missing("etcd is not installed: apt-get install etcd-server");
    const contenders = (["writes", "reads"] as const).flatMap((what) => {
      const kind = `register-${what}` as const;
      const ours = (url: string) => closed({ kind, url }, CLIENTS);
      const own = services(bench, instances, ours, { suffix: `-${what}`, label: `, ${what}` });
      if (!etcd) return own;
      const theirs = closed({ kind: `etcd-${what}`, urls: etcd.urls }, CLIENTS);
      return [...own, byLoad(bench, { id: `etcd-${what}`, label: `etcd, ${what}` }, theirs)];
    });
    const against = (what: string, metric: "perSecond" | "p50Ms", goal?: { atLeast: number }) =>
      times(
        `${what}: ${metric === "p50Ms" ? "p50 " : ""}against etcd`,
        metric,
        [`${NOW}-${what}`, `etcd-${what}`],
        goal,
      );
    return {
      settings: [
        `${CLIENTS} clients`,
        "three primaries, appendfsync always",
        ...(etcd ? ["three nodes of etcd, its defaults: each write with fsync; its JSON gateway"] : []),
      ],
      contenders,
      figures: [
        against("writes", "perSecond", { atLeast: 1.5 }),
        against("reads", "perSecond", { atLeast: 1.5 }),
        against("writes", "p50Ms"),
        against("reads", "p50Ms"),
      ],
    };
  },
};
