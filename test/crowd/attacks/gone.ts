import { setTimeout as sleep } from "node:timers/promises";
import { type Attack, unless } from "../attack.js";
import { Client } from "../client.js";
import { cpuMs } from "../instance.js";

export const gone: Attack = {
  name: "gone",
  about: "so many acquires of a process that leaves after 0.4 s",
  clients: 4_000,
  clientsInTests: 4_000,
  seconds: 0,
  secondsInTests: 0,
  // More at once than can be done: what is offered beyond that is shed, a bystander's acquires as well.
  overloads: true,
  async run({ urls: [url = ""], pids: [pid = 0], clients }) {
    const client = new Client(url);
    const probe = new Client(url);
    const usual = await cpuOver(pid, 1_000);
    await client.warm(clients);
    const before = await acquiresAnswered(url);
    const startCpuMs = cpuMs(pid);
    let granted = 0;
    let received = 0;
    for (let i = 0; i < clients; i++) {
      void client.post(`/v1/locks/gone-${i}/acquire`, { ttlMs: 60_000 }).then(({ status }) => {
        if (status > 0) received += 1;
        if (status === 200) granted += 1;
      });
    }
    await sleep(400);
    const told = { granted, received };
    client.close();
    const leftMs = performance.now();
    let workedMs = 0;
    for (let quiet = 0; quiet < 3 && performance.now() - leftMs < WORK_MS_MAX; ) {
      const works = (await cpuOver(pid, 250)) > usual + 0.15;
      const busy = (await probe.get("/livez")).ms > 100 || works;
      if (busy) workedMs = performance.now() - leftMs;
      quiet = busy ? 0 : quiet + 1;
    }
    probe.close();
    const after = await acquiresAnswered(url);
    const held = await count(url, "gone-");
    return {
      ...told,
      "went on for ms": workedMs,
      "processor time ms": cpuMs(pid) - startCpuMs,
      // Those of the bystander as well: forty a second.
      "answered to nobody": Math.max(
        0,
        after - before - told.received - Math.round((40 * (workedMs + 1_000)) / 1000),
      ),
      "held by nobody": Math.max(0, held - told.granted),
    };
  },
  broken: (figures, slack) =>
    unless(
      [
        (figures["went on for ms"] ?? 0) <= 2_000 * slack,
        `it went on for ${Math.round(figures["went on for ms"] ?? 0)} ms for those who had gone`,
      ],
      [
        (figures["held by nobody"] ?? 0) <= 500,
        `${figures["held by nobody"]} locks are held by those who had gone`,
      ],
    ),
};

/** The share of a core that the process used meanwhile. */
async function cpuOver(pid: number, ms: number): Promise<number> {
  const before = cpuMs(pid);
  const startMs = performance.now();
  await sleep(ms);
  return (cpuMs(pid) - before) / (performance.now() - startMs);
}

async function acquiresAnswered(url: string): Promise<number> {
  const client = new Client(url);
  const { body } = await client.get("/metrics");
  client.close();
  const counts = body.matchAll(
    /^quorate_http_requests_total\{[^}]*route="\/v1\/locks\/[^"]*\/acquire"[^}]*\} (\d+)/gm,
  );
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Locks whose names begin so. */
export async function count(url: string, prefix: string): Promise<number> {
  const client = new Client(url);
  let found = 0;
  let cursor: string | null = "";
  while (cursor !== null) {
    const after: string = cursor === "" ? "" : `&cursor=${cursor}`;
    const { status, body } = await client.get(`/v1/locks?limit=100&prefix=${prefix}${after}`);
    if (status !== 200) break;
    const page = JSON.parse(body) as { locks: unknown[]; cursor: string | null };
    found += page.locks.length;
    cursor = page.cursor;
  }
  client.close();
  return found;
}

const WORK_MS_MAX = 60_000;
