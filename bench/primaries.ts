import { Redis } from "ioredis";
import { Keys } from "../src/redis/keys.js";

/** Commands that servers have run. */
export interface Calls {
  readonly scripts: number;
  readonly messages: number;
  /** Those inside scripts as well. */
  readonly all: number;
  /** Time that scripts took, us. */
  readonly micros: number;
}

/** What the primaries themselves tell of a deployment with the default key prefix. */
export class Watched implements Disposable {
  readonly #all: readonly Redis[];
  readonly #keys = new Keys("q:");

  constructor(urls: readonly string[]) {
    this.#all = urls.map((url) => new Redis(url, { protocol: 2, disableClientInfo: true }));
  }

  /** How many stand in the lines of these locks, on the primary that knows of the fewest. */
  async waiting(names: readonly string[]): Promise<number> {
    const counts = await Promise.all(
      this.#all.map(async (redis) => {
        const pipeline = redis.pipeline();
        for (const name of names) pipeline.zcard(this.#keys.line(`lock/${name}`));
        const replies = (await pipeline.exec()) ?? [];
        return replies.reduce((sum, [, count]) => sum + Number(count), 0);
      }),
    );
    return Math.min(...counts);
  }

  /** Since they started, on all of them together; what is asked here is not counted. */
  async calls(): Promise<Calls> {
    const infos = await Promise.all(this.#all.map((redis) => redis.info("commandstats")));
    const counts = infos.flatMap((info) =>
      [...info.matchAll(/^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/gm)].map(([, name = "", count, micros]) => ({
        name,
        count: Number(count),
        micros: Number(micros),
      })),
    );
    const sum = (isOne: (name: string) => boolean, what: "count" | "micros" = "count") =>
      counts.reduce((total, one) => total + (isOne(one.name) ? one[what] : 0), 0);
    const isScript = (name: string) => name === "evalsha" || name === "eval";
    return {
      scripts: sum(isScript),
      micros: sum(isScript, "micros"),
      messages: sum((name) => name === "publish"),
      all: sum((name) => name !== "zcard" && name !== "info"),
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
    micros: after.micros - before.micros,
  };
}
