import { HttpClient } from "./cluster/http.js";
import type { ServiceInstance } from "./cluster/service.js";

/** Counts grants by the metrics of all instances, across their deaths. */
export class GrantCounter {
  readonly #http = new HttpClient(2_000);
  readonly #seen = new Map<ServiceInstance, { inOneRound: number; all: number }>();
  #inOneRound = 0;
  #all = 0;

  constructor(private readonly services: readonly ServiceInstance[]) {}

  /** Adds what came since the last look. To be called before an instance is killed. */
  async look(): Promise<void> {
    await Promise.all(
      this.services.map(async (service) => {
        const { status, body } = await this.#http.call(service.url, "GET", "/metrics");
        if (status !== 200) return;
        const count = (rounds: string) =>
          Number(
            new RegExp(`^quorate_lock_grants_total\\{rounds="${rounds}"\\} (\\d+)`, "m").exec(body)?.[1] ?? 0,
          );
        const now = { inOneRound: count("1"), all: count("1") + count("more") };
        const before = this.#seen.get(service);
        // Less than before: it began anew.
        const since = before && before.all <= now.all ? before : { inOneRound: 0, all: 0 };
        this.#seen.set(service, now);
        this.#inOneRound += now.inOneRound - since.inOneRound;
        this.#all += now.all - since.all;
      }),
    );
  }

  get total(): { inOneRound: number; all: number } {
    return { inOneRound: this.#inOneRound, all: this.#all };
  }

  close(): void {
    this.#http[Symbol.dispose]();
  }
}
