import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { type Contender, times } from "../comparison/rounds.js";
import { startDeployment } from "../machine/deployment.js";
import { type Area, NOW } from "./area.js";
import { byLoad } from "./contenders.js";

/** What clients notice of others that keep connections open, and of others that send as slowly as they can. */
export const connections: Area = {
  name: "connections",
  about: "latency of an acquire beside 10,000 idle connections and 1,000 slow requests, against without",
  prepare: async (bench, cleanup) => {
    const { instances } = await startDeployment({ before: null }, cleanup);
    const [instance] = instances;
    if (!instance) throw new Error("no instance");
    const { url } = instance.process;
    const job = (ms: number) =>
      ({ mode: "open", work: { kind: "locks", url }, clients: CLIENTS, rate: RATE, ms }) as const;
    const alone = byLoad(bench, { id: NOW, label: "this service" }, job, instance.process);
    const contenders = [alone];
    if ((await openFilesMax()) > IDLE + SLOW + 1_000) contenders.push(beside(alone, url));
    else bench.missing("this process may not open so many connections: ulimit -n 20000");
    return {
      settings: [`${RATE} pairs per second`, `slow: a byte of a header every ${BYTE_MS} ms`],
      contenders,
      figures: [
        times("p99 of an acquire beside them, against without", "p99Ms", [BESIDE, NOW], { atMost: 2 }),
        times("p50 of the same", "p50Ms", [BESIDE, NOW]),
      ],
    };
  },
};

const BESIDE = "beside";
const IDLE = 10_000;
const SLOW = 1_000;
const CLIENTS = 64;
const RATE = 200;
const BYTE_MS = 1_000;

function beside({ turn }: Contender, url: string): Contender {
  return {
    id: BESIDE,
    label: "beside idle and slow connections",
    turn: async (ms) => {
      const sockets = await open(url, IDLE + SLOW);
      const over = dawdle(sockets.slice(IDLE));
      try {
        return await turn(ms);
      } finally {
        over();
        for (const socket of sockets) socket.destroy();
      }
    },
  };
}

/** In portions: a listener's backlog is shorter than that. */
async function open(url: string, count: number): Promise<Socket[]> {
  const { hostname, port } = new URL(url);
  const all: Socket[] = [];
  while (all.length < count) {
    const some = Array.from({ length: Math.min(200, count - all.length) }, () =>
      connect(Number(port), hostname).on("error", () => {}),
    );
    await Promise.all(some.map((socket) => once(socket, "connect")));
    all.push(...some);
  }
  return all;
}

/** Begins requests, and ends none of them: each gets a byte every `BYTE_MS`. */
function dawdle(sockets: readonly Socket[]): () => void {
  for (const socket of sockets)
    socket.write("POST /v1/locks/slow/acquire HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ");
  let next = 0;
  const timer = setInterval(() => {
    for (let i = 0; i < sockets.length / TICKS; i++) sockets[next++ % sockets.length]?.write("x");
  }, BYTE_MS / TICKS);
  return () => clearInterval(timer);
}

const TICKS = 100;

async function openFilesMax(): Promise<number> {
  const limits = await readFile("/proc/self/limits", "utf8");
  return Number(/Max open files +(\d+)/.exec(limits)?.[1]);
}
