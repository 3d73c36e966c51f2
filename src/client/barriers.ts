import { call, WAIT_MS } from "./calls.js";
import type { CallOptions, Transport } from "./transport.js";
import type { Arrived, ArriveRequest } from "./types.js";

export type ArriveOptions = Omit<ArriveRequest, "waitMs"> & CallOptions;

/** Barriers: those who arrive wait for each other. */
export class Barriers {
  constructor(private readonly transport: Transport) {}

  /**
   * Arrives, and waits until as many as `count` have: for as long as that takes, unless the signal aborts. The answer has the
   * generation; the next one is one more. An `id` counts once in each. `ttlMs`: for how long it counts after each request. Throws
   * `limit_mismatch` where others wait for another `count`, and `not_found` for a `generation` of which nothing is known.
   *
   * @example
   * await barriers.arrive("import-done", { id: "worker-1", count: 3, ttlMs: 30_000 });
   */
  async arrive(name: string, { timeoutMs, signal, ...arrival }: ArriveOptions): Promise<Arrived> {
    const path = `/barriers/${encodeURIComponent(name)}/arrive`;
    let { generation } = arrival;
    for (;;) {
      // Without a generation it might count for the next one, if it were sent again.
      const isOnce = generation === undefined;
      const waitMs = isOnce ? 0 : WAIT_MS;
      const body = { ...arrival, generation, waitMs };
      const request = { method: "POST", path, body, has: "generation", waitMs, isOnce } as const;
      const arrived = (await call<Arrived>(this.transport, request, { timeoutMs, signal })).body;
      if (arrived.released) return arrived;
      ({ generation } = arrived);
    }
  }
}
