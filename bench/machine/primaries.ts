import { Redis } from "ioredis";
import { Keys } from "../../src/scripts/keys.js";

/** Commands that the servers have executed. */
export interface Calls {
  readonly scripts: number;
  readonly messages: number;
  /** Including those inside scripts. */
  readonly all: number;
  /** Their processor time, us. */
  readonly cpuMicros: number;
}

/** Figures from the primaries themselves, of a deployment with the default key prefix. */
export class Watched implements Disposable {
  readonly #all: readonly Redis[];
  readonly #keys = new Keys("q:");

  constructor(urls: readonly string[]) {
    this.#all = urls.map((url) => new Redis(url, { protocol: 2, disableClientInfo: true }));
  }

  /** Number of entries in the queues of these locks, on the primary with the fewest. */
  async waiting(names: readonly string[]): Promise<number> {
    const counts = await Promise.all(
      this.#all.map(async (redis) => {
        const pipeline = redis.pipeline();
        for (const name of names) pipeline.zcard(this.#keys.queue(`lock/${name}`));
        const replies = (await pipeline.exec()) ?? [];
        return replies.reduce((sum, [, count]) => sum + Number(count), 0);
      }),
    );
    return Math.min(...counts);
  }

  /** Since they started, on all of them together, without the commands of this measurement. */
  async calls(): Promise<Calls> {
    const [infos, cpus] = await Promise.all(
      ["commandstats", "cpu"].map((section) => Promise.all(this.#all.map((redis) => redis.info(section)))),
    );
    const counts = (infos as string[]).flatMap((info) =>
      [...info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name = "", count]) => ({
        name,
        count: Number(count),
      })),
    );
    const sum = (isOne: (name: string) => boolean) =>
      counts.reduce((total, { name, count }) => total + (isOne(name) ? count : 0), 0);
    const seconds = (cpus as string[]).flatMap((info) =>
      [...info.matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)].map(([, text]) => Number(text)),
    );
    return {
      scripts: sum((name) => name === "evalsha" || name === "eval"),
      messages: sum((name) => name === "publish"),
      all: sum((name) => name !== "zcard" && name !== "info"),
      cpuMicros: 1e6 * seconds.reduce((total, one) => total + one, 0),
    };
  }

  [Symbol.dispose](): void {
    for (const redis of this.#all) redis.disconnect();
  }
}

export function minus(after: Calls, before: Calls): Calls {
  return {
    scripts: after.scripts - before.scripts,
    messages: after.messages - before.messages,
    all: after.all - before.all,
    cpuMicros: after.cpuMicros - before.cpuMicros,
  };
}
