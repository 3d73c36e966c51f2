import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Redis } from "ioredis";

export type ProgramName = "redis-server" | "valkey-server";

/** The first of the two programs that is on the PATH and new enough for our scripts. */
export async function findProgram(): Promise<{ name: ProgramName; version: string } | undefined> {
  for (const name of ["redis-server", "valkey-server"] as const) {
    const version = await promisify(execFile)(name, ["--version"]).then(
      ({ stdout }) => /v=(\d+\.\d+\.\d+)/.exec(stdout)?.[1],
      () => undefined,
    );
    if (version !== undefined && Number.parseFloat(version) >= VERSION_MIN) return { name, version };
  }
  return undefined;
}

// As major.minor; no Redis or Valkey has had a minor version of two digits.
const VERSION_MIN = 6.2;

/** Starts `count` servers on free ports of 127.0.0.1, with a password, in a private directory. */
export async function startEmbeddedServers(program: ProgramName, count: number) {
  for (let attempt = 1; ; attempt++) {
    const servers = await spawnServers(program, await freePorts(count));
    try {
      await Promise.all(servers.urls.map(untilScriptsRun));
      return servers;
    } catch (error) {
      const log = await readFile(servers.logFile, "utf8").catch(() => "");
      await servers.stop();
      // Another process may have taken a port between our check and the server's bind.
      if (attempt === ATTEMPTS_MAX) throw new Error(`${program} does not start: ${log}`, { cause: error });
    }
  }
}

const ATTEMPTS_MAX = 3;

/**
 * The servers' parent is a shell that waits for its standard input to end. That happens when the service stops them,
 * and also when the service dies, even by SIGKILL, against which no process can do anything itself. The shell asks the
 * servers to end, kills those still running after 2 s, and removes the directory.
 */
const GUARDIAN = `
  dir=$1 program=$2; shift 2
  for port; do
    "$program" "$dir/redis.conf" --port "$port" >>"$dir/redis.log" 2>&1 &
    servers="$servers $!"
  done
  read -r end
  kill $servers
  (sleep 2; kill -9 $servers) &
  wait $servers
  rm -rf "$dir"
  kill -9 0 # the sleep, and this shell: its process group is its own
`;

async function spawnServers(program: ProgramName, ports: readonly number[]) {
  const dir = await mkdtemp(join(tmpdir(), "quorate-"));
  // A port of 127.0.0.1 is open to every user of the machine, and so is the argument list: the password is in a file.
  const password = randomBytes(16).toString("hex");
  const settings = [
    "bind 127.0.0.1",
    `requirepass ${password}`,
    'save ""',
    "appendonly no",
    "maxmemory-policy noeviction",
    // As docs/operating.md recommends, by the name that all versions know.
    "hash-max-ziplist-value 512",
    "loglevel warning",
  ];
  await writeFile(join(dir, "redis.conf"), `${settings.join("\n")}\n`, { mode: 0o600 });
  // Runs in a session of its own: a Ctrl-C goes to the service, which still needs its primaries while it drains.
  const guardian = spawn("sh", ["-c", GUARDIAN, "sh", dir, program, ...ports.map(String)], {
    cwd: dir,
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  await once(guardian, "spawn");
  guardian.stdin.on("error", () => {}); // the shell has already ended
  // A service that fails at start must not be kept alive by its primaries.
  guardian.unref();
  const ended = once(guardian, "exit");
  return {
    urls: ports.map((port) => `redis://:${password}@127.0.0.1:${port}`),
    logFile: join(dir, "redis.log"),
    stop: async (): Promise<void> => {
      guardian.ref();
      guardian.stdin.end();
      await ended;
    },
  };
}

/** Returns once the server at `url` runs scripts and has run its first one, which may take long. */
export async function untilScriptsRun(url: string): Promise<void> {
  const redis = new Redis(url, {
    retryStrategy: () => 10,
    maxRetriesPerRequest: 300,
    commandTimeout: 5_000,
    disableClientInfo: true,
    protocol: 2,
  });
  redis.on("error", () => {}); // refused until the server listens; the command below reports if it never did
  try {
    await redis.eval("return 1", 0);
  } finally {
    redis.disconnect();
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
