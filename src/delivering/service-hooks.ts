import { CoordinationError } from "../errors.js";
import { ownService } from "../namespace.js";
import type { Hooks } from "../primitives/hooks/hooks.js";
import type { Lease, Locks } from "../primitives/lock.js";
import { HookDelivery, type HookDependencies } from "./hook-delivery.js";

export interface ServiceHooksDependencies extends Omit<HookDependencies, "progress"> {
  readonly hooks: Pick<Hooks, "list" | "progress">;
  readonly locks: Pick<Locks, "acquire" | "renew" | "release">;
}

/**
 * Tells the hooks of one service while this instance holds their lease, a lock that no namespace has: so one instance tells
 * them, and another goes on when it dies. Its fencing token guards how far each hook was told.
 */
export class ServiceHooks {
  readonly #deliveries = new Map<string, HookDelivery>();
  readonly #stopping = new AbortController();

  constructor(
    private readonly service: string,
    /** Of this instance. */
    private readonly owner: string,
    private readonly dependencies: ServiceHooksDependencies,
  ) {}

  /** How many hooks it tells now. */
  get size(): number {
    return this.#deliveries.size;
  }

  stop(): void {
    this.#stopping.abort();
    this.#endAll();
  }

  async run(): Promise<void> {
    const { clock, random } = this.dependencies;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      // Held by another, or no majority answers: both end.
      await this.#holdLease(signal).catch(() => {});
      await clock.sleep(TRY_MS * (0.5 + random()), signal).catch(() => {});
    }
  }

  async #holdLease(signal: AbortSignal): Promise<void> {
    const { locks, clock } = this.dependencies;
    const names = [`${ownService("hooks")}~${this.service}`];
    const askedMs = clock.monotonicMs();
    const acquired = await locks.acquire({ names, ttlMs: LEASE_MS, owner: this.owner });
    if (acquired.kind === "held") return;
    const { lease } = acquired;
    try {
      await this.#tellWhile(lease, askedMs + lease.waitedMs + lease.validForMs, signal);
    } finally {
      this.#endAll();
      await locks.release(names, lease.leaseId).catch(() => {});
    }
  }

  async #tellWhile(lease: Lease, until: number, signal: AbortSignal): Promise<void> {
    const { locks, clock } = this.dependencies;
    const { names, leaseId, fencingToken } = lease;
    for (let validUntilMs = until; !signal.aborted && clock.monotonicMs() < validUntilMs; ) {
      await this.#look(fencingToken).catch(() => {});
      await clock.sleep(RENEWED_AFTER_MS, signal);
      const askedMs = clock.monotonicMs();
      try {
        const { validForMs } = await locks.renew({ names, leaseId, ttlMs: LEASE_MS, fencingToken });
        validUntilMs = askedMs + validForMs;
      } catch (error) {
        if (error instanceof CoordinationError && error.code === "lease_lost") return;
      }
    }
  }

  /** Begins with hooks that are new, and ends with those that are gone. */
  async #look(token: number): Promise<void> {
    const { hooks, ...dependencies } = this.dependencies;
    const wanted = await hooks.list(this.service);
    if (this.#stopping.signal.aborted) return;
    for (const [id, delivery] of this.#deliveries)
      if (!wanted.some((hook) => hook.id === id && delivery.isOf(hook))) this.#end(id, delivery);
    for (const hook of wanted) {
      const known = this.#deliveries.get(hook.id);
      if (known) known.change(hook);
      else {
        const delivery = new HookDelivery(this.service, hook, token, {
          ...dependencies,
          progress: hooks.progress,
        });
        this.#deliveries.set(hook.id, delivery);
        // Where it ends by itself, somebody has a later token: the next look begins anew if that was not so.
        void delivery.run().then(() => this.#end(hook.id, delivery));
      }
    }
  }

  #end(id: string, delivery: HookDelivery): void {
    delivery.stop();
    if (this.#deliveries.get(id) === delivery) this.#deliveries.delete(id);
  }

  #endAll(): void {
    for (const [id, delivery] of this.#deliveries) this.#end(id, delivery);
  }
}

const LEASE_MS = 6_000;
const RENEWED_AFTER_MS = 2_000;
/** How often an instance tries that another seems to be gone. */
const TRY_MS = 1_000;
