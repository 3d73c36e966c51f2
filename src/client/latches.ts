import { call, change, unlessMissing, WAIT_MS } from "./calls.js";
import type { CallOptions, Transport } from "./transport.js";
import type { Latch } from "./types.js";

/** Latches: each opens, for good, once it was counted down to 0. */
export class Latches {
  constructor(private readonly transport: Transport) {}

  /** Makes it, unless it is there. Throws `limit_mismatch` where it has another count. */
  async make(name: string, count: number, options: CallOptions = {}): Promise<Latch> {
    const request = { method: "PUT", path: pathOf(name), body: { count }, has: "remaining" } as const;
    return (await call<Latch>(this.transport, request, options)).body;
  }

  /** By one, once, however often it has to be sent. One that is open stays so. Throws `not_found` where there is none. */
  async countDown(name: string, options: CallOptions = {}): Promise<Latch> {
    const request = { method: "POST", path: `${pathOf(name)}/count-down`, has: "remaining" } as const;
    return (await change<Latch>(this.transport, request, options)).body;
  }

  /** Undefined: there is none. */
  get(name: string, options: CallOptions = {}): Promise<Latch | undefined> {
    return this.#read(name, 0, options).catch(unlessMissing);
  }

  /** Waits until it is open: for as long as that takes, unless the signal aborts. Throws `not_found` where there is none. */
  async opened(name: string, options: CallOptions = {}): Promise<void> {
    while ((await this.#read(name, WAIT_MS, options)).remaining > 0);
  }

  /** Whether it was there. */
  async delete(name: string, options: CallOptions = {}): Promise<boolean> {
    const request = { method: "DELETE", path: pathOf(name), has: "deleted" } as const;
    return (await call<{ readonly deleted: boolean }>(this.transport, request, options)).body.deleted;
  }

  async #read(name: string, waitMs: number, options: CallOptions): Promise<Latch> {
    const path = `${pathOf(name)}?waitMs=${waitMs}`;
    const request = { method: "GET", path, has: "remaining", waitMs } as const;
    return (await call<Latch>(this.transport, request, options)).body;
  }
}

const pathOf = (name: string) => `/latches/${encodeURIComponent(name)}`;
