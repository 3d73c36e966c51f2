/**
 * The cost of the epoch check in the prelude: acquire and release with the scripts as they are, compared with the same
 * scripts without the check and its bookkeeping, taking turns within one run on the same servers.
 *   npx tsx bench/studies/prelude.ts [--seconds 0.3] [--rounds 80] [--clients 64]
 */
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { type Connect, connectByIoredis } from "../../src/redis/connection.js";
import { SCRIPTS } from "../../src/scripts/scripts.js";
import type { Service } from "../../src/service.js";
import { median } from "../comparison/statistics.js";
import { withServers } from "../machine/servers.js";
import { startInstance } from "./instance.js";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "0.3" },
    rounds: { type: "string", default: "80" },
    clients: { type: "string", default: "64" },
  },
});

await withServers(async (urls) => {
  const fenced = await startInstance(urls);
  const bare = await startInstance(urls, { connect: withoutFence });
  await pairsPerSecond(fenced, 1);
  await pairsPerSecond(bare, 1);
  const ratios: number[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    // The first one changes, so that drift within a round cancels out.
    const order = round % 2 === 0 ? [fenced, bare] : [bare, fenced];
    const rates = new Map<Service, number>();
    for (const instance of order) rates.set(instance, await pairsPerSecond(instance, Number(values.seconds)));
    const [withIt, without] = [rates.get(fenced) ?? 0, rates.get(bare) ?? 1];
    ratios.push(withIt / without);
    process.stdout.write(
      `round ${round + 1}: ${Math.round(withIt)} pairs/s with the epoch check, ${Math.round(without)} without\n`,
    );
  }
  const cost = (1 - median(ratios)) * 100;
  process.stdout.write(
    `the epoch check costs ${cost.toFixed(1)} % of the throughput (median of ${ratios.length} rounds)\n`,
  );
  fenced.close();
  bare.close();
});

/** Pairs of acquire and release by this many concurrent clients, each on its own names. */
async function pairsPerSecond({ locks }: Service, seconds: number): Promise<number> {
  const endMs = performance.now() + seconds * 1000;
  let pairs = 0;
  await Promise.all(
    Array.from({ length: Number(values.clients) }, async (_, client) => {
      for (let i = 0; performance.now() < endMs; i++) {
        const name = `bench-${client}-${i % 100}`;
        const outcome = await locks.acquire({ names: [name], ttlMs: 10_000 });
        if (outcome.kind !== "acquired") throw new Error("not acquired");
        await locks.release([name], outcome.lease.leaseId);
        pairs += 1;
      }
    }),
  );
  return pairs / seconds;
}

/** The scripts without the epoch check: nothing stored is read or compared, and no high-water mark is written. */
function withoutFence(...args: Parameters<Connect>): ReturnType<Connect> {
  const connection = connectByIoredis(...args);
  const strip = (text: string) =>
    text
      .replace(/^local fence = redis\.call.*$/m, "local fence = { ARGV[1], '0', '0', '0' }")
      .replace(/^if fence\[1\].*$/m, "")
      .replace(/^mark_lease\(.*$/m, "");
  const stripped = new Map(
    Object.values(SCRIPTS).map(({ sha1, text }) => {
      const bare = /acquire-lease|release-lease/.test(nameOf(sha1)) ? strip(text) : text;
      return [sha1, { text: bare, sha1: createHash("sha1").update(bare).digest("hex") }];
    }),
  );
  return {
    get ready() {
      return connection.ready;
    },
    onChange: (listener) => connection.onChange(listener),
    close: () => connection.close(),
    call: (command, ...rest) => {
      const first = String(rest[0]);
      if (command === "EVALSHA") rest[0] = stripped.get(first)?.sha1 ?? first;
      // Which of the stripped scripts are there: the other instance has loaded the originals on the same servers.
      if (command === "SCRIPT" && first === "EXISTS")
        return connection.call(
          command,
          first,
          ...rest.slice(1).map((sha1) => stripped.get(String(sha1))?.sha1 ?? sha1),
        );
      if (command === "SCRIPT") {
        const sha1 = createHash("sha1").update(String(rest[1])).digest("hex");
        rest[1] = stripped.get(sha1)?.text ?? String(rest[1]);
      }
      return connection.call(command, ...rest);
    },
  };
}

function nameOf(sha1: string): string {
  return Object.values(SCRIPTS).find((script) => script.sha1 === sha1)?.name ?? "";
}
