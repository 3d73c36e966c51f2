import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { call, send } from "../load/client.js";
import { stoppable } from "../machine/guard.js";
import { freePorts } from "../machine/servers.js";

/** A cluster of three etcd nodes on this machine, with default settings and temporary data. */
export interface Etcd extends AsyncDisposable {
  readonly version: string;
  readonly urls: readonly string[];
  /** Ends the leader, as by a crash. Returns the URLs of the others. */
  killLeader(): Promise<readonly string[]>;
}

/** Null if etcd is not installed. */
export async function startEtcd(): Promise<Etcd | null> {
  const version = await etcdVersion();
  if (version === null) return null;
  const dir = await mkdtemp(join(tmpdir(), "quorate-etcd-"));
  const ports = await freePorts(6);
  const url = (place: number) => `http://127.0.0.1:${ports[place]}`;
  const cluster = NODES.map((node) => `node-${node}=${url(node)}`).join(",");
  const nodes = NODES.map((node) =>
    startNode(join(dir, `node-${node}`), node, url(node), url(node + 3), cluster),
  );
  const stop = stoppable(nodes, dir);
  const urls = NODES.map((node) => url(node + 3));
  try {
    for (const each of urls) await untilHealthy(each);
  } catch (error) {
    await stop();
    throw error;
  }
  const killLeader = async () => {
    const all = await Promise.all(urls.map(statusOf));
    const place = all.findIndex(({ leader, header }) => leader === header.member_id);
    nodes[place]?.kill("SIGKILL");
    return urls.filter((_, one) => one !== place);
  };
  return { version, urls, killLeader, [Symbol.asyncDispose]: stop };
}

function statusOf(url: string): Promise<{ leader: string; header: { member_id: string } }> {
  return call(url, "/v3/maintenance/status", {});
}

/** Null if etcd is not installed. */
export function etcdVersion(): Promise<string | null> {
  return promisify(execFile)("etcd", ["--version"]).then(
    ({ stdout }) => /etcd Version: (\S+)/.exec(stdout)?.[1] ?? "unknown",
    () => null,
  );
}

function startNode(dir: string, node: number, peer: string, client: string, cluster: string): ChildProcess {
  const options = {
    name: `node-${node}`,
    "data-dir": dir,
    "listen-peer-urls": peer,
    "initial-advertise-peer-urls": peer,
    "listen-client-urls": client,
    "advertise-client-urls": client,
    "initial-cluster": cluster,
  };
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  return spawn("etcd", args, { stdio: "ignore" });
}

async function untilHealthy(url: string): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const { text } = await send(url, "/health").catch(() => ({ text: "" }));
    if (text.includes('"true"')) return;
    if (performance.now() > endMs) throw new Error(`etcd is not healthy after ${PATIENCE_MS} ms`);
    await sleep(50);
  }
}

const NODES = [0, 1, 2];
const PATIENCE_MS = 20_000;
