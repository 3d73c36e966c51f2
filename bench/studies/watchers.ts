/**
 * Many watchers of one service at one instance: the time from sending a change until each has its event, and their memory. They
 * are all read by this process, whose own time is part of it.
 *   npx tsx bench/studies/watchers.ts [--watchers 1000,10000] [--events 20] [--members 10]
 */
import { connect, type Socket } from "node:net";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startPrimaries } from "../../test/helpers/primaries.js";
import { startInstanceProcess } from "../machine/process.js";
import { serverVersion } from "../machine/servers.js";

const { values } = parseArgs({
  options: {
    watchers: { type: "string", default: "1000,10000" },
    events: { type: "string", default: "20" },
    members: { type: "string", default: "10" },
  },
});
process.env.TEST_REDIS = "process";
const TOGETHER = 100;

await using primaries = await startPrimaries(3, { args: ["--appendfsync", "everysec"] });
// A busy machine should spoil the figures, not abort the run.
const env = { REDIS_URLS: primaries.urls.join(","), QUORATE_COMMAND_TIMEOUT_MS: "1000" };
print(
  `Node ${process.versions.node}, ${availableParallelism()} cores; three ${await serverVersion()}, appendfsync everysec; one instance, built, its defaults but a command timeout of 1 s`,
);

for (const watchers of values.watchers.split(",").map(Number)) {
  await using service = await startInstanceProcess(env);
  const base = `${service.url}/v1/services/watched-${watchers}`;
  const put = (id: string) =>
    fetch(`${base}/members/${id}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ address: "10.0.0.7:9000", ttlMs: 600_000 }),
    });
  for (let i = 0; i < Number(values.members); i++) await put(`member-${i}`);
  const { residentMb: idleMb } = await service.usage();
  const arrivals: number[] = [];
  const sockets = await watch(new URL(`${base}/events`), watchers, (atMs) => arrivals.push(atMs));
  await sleep(2_000);
  const { residentMb, cpuMs: cpuBeforeMs } = await service.usage();
  const tookMs: number[] = [];
  for (let i = 0; i < Number(values.events); i++) {
    arrivals.length = 0;
    const sentMs = performance.now();
    await put("member-0");
    const deadlineMs = sentMs + 30_000;
    while (arrivals.length < watchers && performance.now() < deadlineMs) await sleep(5);
    if (arrivals.length < watchers) throw new Error(`${watchers - arrivals.length} watchers were not told`);
    tookMs.push(...arrivals.map((atMs) => atMs - sentMs));
    await sleep(200);
  }
  const { cpuMs } = await service.usage();
  const cpuUs = (1_000 * (cpuMs - cpuBeforeMs)) / (watchers * Number(values.events));
  for (const socket of sockets) socket.destroy();
  const sorted = tookMs.sort((one, other) => one - other);
  const share = (of: number) => (sorted[Math.floor((sorted.length - 1) * of)] ?? Number.NaN).toFixed(0);
  const kb = (1_024 * (residentMb - idleMb)) / watchers;
  print(
    `${watchers} watchers: told within ${share(0.5)} ms at the median, ${share(0.99)} ms at p99, ${share(1)} ms at most, of ${values.events} changes each; ${kb.toFixed(1)} KB resident per watcher; ${cpuUs.toFixed(0)} us of the instance's CPU per event and watcher`,
  );
}

/** A stream each, once all have come to the end of their snapshot. A hundred at a time: the kernel's backlog is bounded. */
async function watch(url: URL, count: number, told: (atMs: number) => void): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let at = 0; at < count; at += TOGETHER) {
    const some = Array.from({ length: Math.min(TOGETHER, count - at) }, () => watcher(url, told));
    sockets.push(...(await Promise.all(some)));
  }
  return sockets;
}

function watcher(url: URL, told: (atMs: number) => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname);
    socket.on("error", reject);
    socket.write(`GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`);
    socket.setEncoding("latin1").on("data", (text: string) => {
      if (text.includes("event: synced")) resolve(socket);
      if (text.includes("event: updated")) told(performance.now());
    });
  });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
