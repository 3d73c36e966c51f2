import { setTimeout as sleep } from "node:timers/promises";
import type { TestPrimary } from "../helpers/primaries.js";
import { INSTANCES, startTestCluster, type TestCluster } from "./cluster/cluster.js";
import { GrantCounter } from "./grants.js";
import { ServiceLocks } from "./load/lock-service.js";
import { ms, quantile, quantiles, share } from "./report.js";

export interface FigureOptions {
  readonly primaries: number;
  readonly kind: "process" | "container";
  /** Of each phase. */
  readonly seconds: number;
  readonly clients: number;
}

/**
 * What a fault costs, without a proxy between: latency of acquire when all is well, with one primary paused and with
 * one dead, from the moment on in which that is known; and how many grants take one round trip.
 */
export async function figures(options: FigureOptions): Promise<string> {
  await using cluster = await startTestCluster({
    primaries: options.primaries,
    kind: options.kind,
    withLinks: false,
  });
  const lines: string[] = [];
  await phase(cluster, { ...options, clients: 64, seconds: 1 }, 0);
  const grants = new GrantCounter(cluster.services);
  await grants.look();
  const before = grants.total;
  const fresh = await phase(cluster, { ...options, clients: 64 }, 0);
  await grants.look();
  const inOneRound = grants.total.inOneRound - before.inOneRound;
  grants.close();
  lines.push(
    `two instances, 64 clients, fresh names, all is well: ${share(inOneRound, grants.total.all - before.all)} grants in one round trip; ${Math.round(fresh.took.length / options.seconds)} grants/s, ${quantiles(fresh.took)}`,
  );

  const healthy = await phase(cluster, options, THINK_MS);
  lines.push(`${options.clients} clients, all is well: acquire ${quantiles(healthy.took)}`);
  const faults: [string, (one: TestPrimary) => Promise<void>, (one: TestPrimary) => Promise<void>][] = [
    ["paused", (one) => one.pause(), (one) => one.resume()],
    ["dead", (one) => one.kill(), (one) => one.start()],
  ];
  for (const [what, hurt, heal] of faults) {
    const victim = cluster.primaries.at(-1) as TestPrimary;
    const running = phase(cluster, { ...options, seconds: options.seconds + 0.5 }, THINK_MS);
    await sleep(500);
    const atMs = performance.now();
    await hurt(victim);
    const { took, all } = await running;
    await heal(victim);
    await cluster.recovered(10_000);
    const since = all.filter(({ startMs }) => startMs > atMs + KNOWN_MS);
    const known = since.filter(({ outcome }) => outcome === "granted").map((one) => one.ms);
    const failed = (some: typeof all) => some.filter(({ outcome }) => outcome !== "granted").length;
    lines.push(
      `one primary ${what}: acquire ${quantiles(known)} once it is known; p99 ${(quantile(known, 0.99) / quantile(healthy.took, 0.99)).toFixed(2)} times the healthy one; failed requests: ${failed(all)} in all, ${failed(since)} once it is known${reasons(all)}; slowest of all ${ms(quantile(took, 1))}`,
    );
  }
  return lines.join("\n");
}

/** What failed requests were told. */
function reasons(all: readonly { readonly outcome: string }[]): string {
  const failures = new Set(all.map(({ outcome }) => outcome).filter((outcome) => outcome !== "granted"));
  return failures.size === 0 ? "" : ` (${[...failures].join(", ")})`;
}

/** Clients that take fresh names and give them back, each with a pause of about `thinkMs` in between. */
async function phase(cluster: TestCluster, { clients, seconds }: FigureOptions, thinkMs: number) {
  const all: { startMs: number; ms: number; outcome: string }[] = [];
  const endMs = performance.now() + seconds * 1000;
  const run = String(Math.round(endMs));
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      const locks = new ServiceLocks(cluster.services, 8_000);
      const at = client % INSTANCES.length;
      await sleep((thinkMs * client) / clients);
      for (let count = 0; performance.now() < endMs; count++) {
        const name = `fresh-${run}-${client}-${count}`;
        const startMs = performance.now();
        const answer = await locks.acquire(at, { name, ttlMs: 3_000 }, startMs);
        const outcome = answer.kind === "failed" ? answer.code : answer.kind;
        all.push({ startMs, ms: performance.now() - startMs, outcome });
        if (answer.kind === "granted") await locks.release(at, { ...answer, name });
        if (thinkMs > 0) await sleep(thinkMs);
      }
      locks.close();
    }),
  );
  return { all, took: all.filter(({ outcome }) => outcome === "granted").map((one) => one.ms) };
}

const THINK_MS = 20;
/** Two command timeouts after the fault every instance knows of it, ms. */
const KNOWN_MS = 200;
