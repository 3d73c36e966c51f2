import type { Keyed } from "../../algorithms/register.js";
import { CoordinationError } from "../../errors.js";
import { idempotencyMismatch } from "./register-failures.js";
import type { Registers } from "./registers.js";

/** Counters: registers that are only added to. By the names of registers. */
export class Counters {
  constructor(private readonly registers: Registers) {}

  /** 0 before anything was added. Throws as `Registers.get` does. */
  async get(name: string): Promise<number> {
    return Number((await this.registers.get(name))?.json ?? 0);
  }

  /** As `Registers.lacking`. */
  lacking(name: string): Promise<readonly string[]> {
    return this.registers.lacking(name);
  }

  /** The value afterwards. Throws as `Changes.change` does, and `invalid_request` where it could not be told exactly. */
  async add(
    name: string,
    by: number,
    request: { readonly keyed?: Keyed | null; readonly signal?: AbortSignal } = {},
  ): Promise<number> {
    const changed = await this.registers.changes.change<number | null>(
      name,
      ({ version }) => {
        const value = Number(version?.json ?? 0) + by;
        if (!Number.isSafeInteger(value)) return { kind: "keep", result: null };
        return { kind: "write", json: String(value), ttlMs: null, result: value, told: String(value) };
      },
      request,
    );
    if (changed.kind === "key_mismatch") throw idempotencyMismatch();
    if (changed.kind === "repeated") return Number(changed.told);
    if (changed.result === null) throw beyond();
    return changed.result;
  }
}

function beyond(): CoordinationError {
  const detail = `the counter would leave the range of ±${Number.MAX_SAFE_INTEGER}`;
  return new CoordinationError("invalid_request", `by: ${detail}`, {
    help: { errors: [{ field: "by", detail }], field: "by" },
  });
}
