import { readFile } from "node:fs/promises";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { etcdVersion } from "../peers/etcd.js";
import { zooKeeperVersion } from "../peers/zookeeper.js";
import type { Results } from "../report/results.js";
import { dependenciesOf, revisionOf } from "./checkout.js";
import { ROOT } from "./process.js";
import { serverVersion } from "./servers.js";

export function machine(): Results["machine"] {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    loadBefore: loadavg()[0] ?? Number.NaN,
  };
}

/** Of what takes part in a run; the packages are those that requests pass through. */
export async function versions(): Promise<Record<string, string>> {
  const dependencies = await dependenciesOf(ROOT);
  const [server, etcd, zooKeeper, client, commit] = await Promise.all([
    serverVersion(),
    etcdVersion(),
    zooKeeperVersion(),
    installed("node-zookeeper-client"),
    revisionOf(ROOT),
  ]);
  const [program = "", version = ""] = server.split(" ");
  const optional = { etcd, ZooKeeper: zooKeeper, "node-zookeeper-client": client };
  return {
    quorate: commit ?? "not from git",
    Node: process.versions.node,
    [program]: version,
    ...Object.fromEntries(PACKAGES.map((name) => [name, dependencies[name] ?? "unknown"])),
    ...Object.fromEntries(
      Object.entries(optional).filter((entry): entry is [string, string] => entry[1] !== null),
    ),
  };
}

const PACKAGES = ["hono", "@hono/node-server", "@hono/zod-openapi", "zod", "ioredis", "redlock"];

async function installed(name: string): Promise<string | null> {
  return readFile(join(ROOT, "node_modules", name, "package.json"), "utf8").then(
    (text) => JSON.parse(text).version,
    () => null,
  );
}
