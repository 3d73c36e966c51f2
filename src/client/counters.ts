import { call, change } from "./calls.js";
import type { CallOptions, Transport } from "./transport.js";

/** Counters: each addition counts once, however often it has to be sent. */
export class Counters {
  constructor(private readonly transport: Transport) {}

  /** 0 before anything was added. */
  async get(name: string, options: CallOptions = {}): Promise<number> {
    const request = { method: "GET", path: pathOf(name), has: "value" } as const;
    return (await call<Value>(this.transport, request, options)).body.value;
  }

  /** The value afterwards. `by`: an integer. Throws `invalid_request` where the value would leave ±(2^53 − 1). */
  async add(name: string, by = 1, options: CallOptions = {}): Promise<number> {
    const request = { method: "POST", path: `${pathOf(name)}/add`, body: { by }, has: "value" } as const;
    return (await change<Value>(this.transport, request, options)).body.value;
  }
}

interface Value {
  readonly value: number;
}

const pathOf = (name: string) => `/counters/${encodeURIComponent(name)}`;
