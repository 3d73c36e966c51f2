import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stoppable } from "../machine/guard.js";
import { freePorts } from "../machine/servers.js";

/** An ensemble of three ZooKeeper nodes on this machine, with default settings and temporary data. */
export interface ZooKeeper extends AsyncDisposable {
  readonly version: string;
  /** `host:port` of all nodes, with commas between. */
  readonly servers: string;
}

/** Null if ZooKeeper is not installed. */
export async function startZooKeeper(): Promise<ZooKeeper | null> {
  const version = await zooKeeperVersion();
  if (version === null) return null;
  const dir = await mkdtemp(join(tmpdir(), "quorate-zookeeper-"));
  const ports = await freePorts(9);
  const servers = NODES.map((node) => `server.${node + 1}=127.0.0.1:${ports[node + 3]}:${ports[node + 6]}`);
  const nodes = await Promise.all(NODES.map((node) => startNode(dir, node, ports[node] ?? 0, servers)));
  const stop = stoppable(nodes, dir);
  try {
    for (const node of NODES) await untilServing(ports[node] ?? 0);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    version,
    servers: NODES.map((node) => `127.0.0.1:${ports[node]}`).join(","),
    [Symbol.asyncDispose]: stop,
  };
}

/** Null if ZooKeeper is not installed. */
export async function zooKeeperVersion(): Promise<string | null> {
  const files = await readdir(JARS).catch((): string[] => []);
  if (!files.includes("zookeeper.jar")) return null;
  return files.flatMap((file) => /^zookeeper-(\d[\d.]*)\.jar$/.exec(file)?.[1] ?? [])[0] ?? "unknown";
}

async function startNode(
  base: string,
  node: number,
  port: number,
  servers: readonly string[],
): Promise<ChildProcess> {
  const dir = join(base, `node-${node + 1}`);
  await mkdir(dir);
  await writeFile(join(dir, "myid"), `${node + 1}\n`);
  const settings = [
    "tickTime=2000",
    "initLimit=10",
    "syncLimit=5",
    `dataDir=${dir}`,
    "clientPortAddress=127.0.0.1",
    `clientPort=${port}`,
    // The default is 60 per address, and here all clients have one address.
    "maxClientCnxns=0",
    "admin.enableServer=false",
    "4lw.commands.whitelist=srvr",
    ...servers,
  ];
  const file = join(dir, "zoo.cfg");
  await writeFile(file, `${settings.join("\n")}\n`);
  const main = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
  return spawn("java", ["-Xmx256m", "-cp", JAR, main, file], { cwd: dir, stdio: "ignore" });
}

async function untilServing(port: number): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!(await status(port)).includes("Mode:")) {
    if (performance.now() > endMs) throw new Error(`ZooKeeper does not serve after ${PATIENCE_MS} ms`);
    await sleep(100);
  }
}

function status(port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write("srvr"));
    socket.on("data", (part) => {
      text += part;
    });
    socket.on("error", () => resolve(""));
    socket.on("close", () => resolve(text));
  });
}

/** Where Debian puts it. */
const JARS = "/usr/share/java";
const JAR = `${JARS}/zookeeper.jar`;
const NODES = [0, 1, 2];
const PATIENCE_MS = 30_000;
