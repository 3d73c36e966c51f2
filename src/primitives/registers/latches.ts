import type { Keyed } from "../../algorithms/register.js";
import type { InFlight } from "../leases/lease-terms.js";
import { idempotencyMismatch, latchMismatch, noLatch } from "./register-failures.js";
import type { Registers } from "./registers.js";

/** A latch: it opens, for good, once it was counted down to 0. */
export interface Latch {
  /** From where it counts. */
  readonly count: number;
  readonly remaining: number;
}

/** Latches, one register for each. By the names of registers. All throw as `Changes.change` does. */
export class Latches {
  constructor(private readonly registers: Pick<Registers, "changes" | "get" | "until" | "delete">) {}

  /** Nothing changes where it is there already. Throws `limit_mismatch` where it has another count. */
  async put(
    name: string,
    count: number,
    signal?: AbortSignal,
  ): Promise<{ readonly created: boolean; readonly latch: Latch }> {
    const changed = await this.registers.changes.change<{ created: boolean; latch: Latch }>(
      name,
      ({ version }) => {
        const latch = latchIn(version);
        if (latch) return { kind: "keep", result: { created: false, latch } };
        const made = { count, remaining: count };
        const result = { created: true, latch: made };
        return { kind: "write", json: JSON.stringify(made), ttlMs: null, result, told: "-" };
      },
      { signal },
    );
    const { result } = changed as Extract<typeof changed, { result: unknown }>;
    if (result.latch.count !== count) throw latchMismatch(result.latch.count);
    return result;
  }

  /** One that is open stays so. Throws `not_found`. */
  async countDown(
    name: string,
    request: { readonly keyed?: Keyed | null; readonly signal?: AbortSignal } = {},
  ): Promise<Latch> {
    const changed = await this.registers.changes.change<Latch | null>(
      name,
      ({ version }) => {
        const latch = latchIn(version);
        if (!latch || latch.remaining === 0) return { kind: "keep", result: latch };
        const next = { ...latch, remaining: latch.remaining - 1 };
        const json = JSON.stringify(next);
        return { kind: "write", json, ttlMs: null, result: next, told: json };
      },
      request,
    );
    if (changed.kind === "key_mismatch") throw idempotencyMismatch();
    if (changed.kind === "repeated") return JSON.parse(changed.told) as Latch;
    if (changed.result === null) throw noLatch();
    return changed.result;
  }

  /** Null: there is none. */
  async get(name: string): Promise<Latch | null> {
    return latchIn(await this.registers.get(name));
  }

  /** The latch once it is open or gone, or as it is when `deadlineMs` has passed. */
  async opened(
    name: string,
    deadlineMs: number,
    signal?: AbortSignal,
    inFlight?: InFlight,
  ): Promise<Latch | null> {
    const isOver = (latch: Latch | null) => latch === null || latch.remaining === 0;
    return latchIn(
      await this.registers.until(name, (register) => isOver(latchIn(register)), deadlineMs, signal, inFlight),
    );
  }

  /** Whether there was one. */
  async delete(name: string, signal?: AbortSignal): Promise<boolean> {
    return (await this.registers.delete(name, { signal })).kind === "deleted";
  }
}

function latchIn(stored: { readonly json: string | null } | null): Latch | null {
  return stored?.json == null ? null : (JSON.parse(stored.json) as Latch);
}
