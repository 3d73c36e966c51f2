import { call, change, unlessMissing, WAIT_MS } from "./calls.js";
import { mayChange, pause } from "./changes.js";
import { failure, QuorateError } from "./errors.js";
import { type CallOptions, TIMEOUT_MS, type Transport } from "./transport.js";
import type {
  ChangedRegister,
  RegisterTransaction,
  RegisterTransactionRequest,
  Register as Stored,
} from "./types.js";
import { sleep } from "./world.js";

/** A register, as it was read. */
export interface Register<T = unknown> extends Stored {
  readonly value: T;
  /** Names this version; it never comes again. */
  readonly etag: string;
}

export interface SetOptions extends CallOptions {
  /** Time after which it is deleted, ms. Without it, it stays. */
  readonly ttlMs?: number | undefined;
  /** The ETag that it must have, or else `version_mismatch` is thrown. null: there must be none. */
  readonly ifMatch?: string | null | undefined;
}

/** Registers: values that a majority of the primaries agree on. Each change is made once, however often it has to be sent. */
export class Registers {
  constructor(private readonly transport: Transport) {}

  /** Undefined: there is none. */
  async get<T = unknown>(key: string, options: CallOptions = {}): Promise<Register<T> | undefined> {
    const read = call<Register<T>>(
      this.transport,
      { method: "GET", path: pathOf(key), has: "value" },
      options,
    );
    return read.then(({ body, etag }) => ({ ...body, etag: etag as string }), unlessMissing);
  }

  /**
   * Sets it, whatever it was, or only where `ifMatch` says so: else it throws `version_mismatch`, with the `version` and the `etag`
   * that it has. The answer has the new ones. Throws `outcome_unknown` where it may have been set.
   */
  async set(
    key: string,
    value: unknown,
    { ttlMs, ifMatch, ...options }: SetOptions = {},
  ): Promise<ChangedRegister & { readonly etag: string }> {
    const request = {
      method: "PUT",
      path: pathOf(key),
      headers: conditionOf(ifMatch),
      has: "version",
    } as const;
    const sent = { ...request, body: { value, ttlMs } };
    const { body, etag } = await change<ChangedRegister>(this.transport, sent, options);
    return { ...body, etag: etag as string };
  }

  /** Whether it was there. Throws as `set` does. */
  async delete(key: string, { ifMatch, ...options }: Omit<SetOptions, "ttlMs"> = {}): Promise<boolean> {
    const request = {
      method: "DELETE",
      path: pathOf(key),
      headers: conditionOf(ifMatch),
      has: "deleted",
    } as const;
    return (await change<{ readonly deleted: boolean }>(this.transport, request, options)).body.deleted;
  }

  /**
   * Sets it to what `fn` makes of it, and asks `fn` again where another change came first. Where `fn` returns undefined, it
   * stays as it is. The answer is the value that it has then; undefined: there is none. Throws `version_mismatch` where others
   * came first until `timeoutMs` was over.
   *
   * @example
   * await registers.change<string[]>("config/hosts", (hosts = []) => [...hosts, "eu-1"]);
   */
  async change<T>(
    key: string,
    fn: (value: T | undefined) => T | undefined | Promise<T | undefined>,
    { ttlMs, timeoutMs = TIMEOUT_MS, signal }: Omit<SetOptions, "ifMatch"> = {},
  ): Promise<T | undefined> {
    const { clock, random } = this.transport.world;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    for (let tries = 1; ; tries++) {
      const options = { timeoutMs: deadlineMs - clock.monotonicMs(), signal };
      const register = await this.get<T>(key, options);
      const value = await fn(register?.value);
      if (value === undefined) return register?.value;
      try {
        await this.set(key, value, { ...options, ttlMs, ifMatch: register?.etag ?? null });
        return value;
      } catch (error) {
        const isLate = error instanceof QuorateError && error.code === "version_mismatch";
        if (!isLate || clock.monotonicMs() >= deadlineMs) throw error;
        await sleep(clock, random() * Math.min(PAUSE_MS_MAX, 2 ** tries), signal);
      }
    }
  }

  /**
   * Checks, reads and changes several, all or none. Throws `version_mismatch` where a check does not hold; its `field` says
   * which.
   *
   * @example
   * await registers.transact({ checks: [{ election: "billing", term }], changes: [{ key: "invoices/last", value: 1042 }] });
   */
  async transact(
    request: RegisterTransactionRequest,
    options: CallOptions = {},
  ): Promise<RegisterTransaction> {
    const sent = { method: "POST", path: "/registers/transactions", body: request, has: "repeated" } as const;
    return (await change<RegisterTransaction>(this.transport, sent, options)).body;
  }

  /**
   * A register: now, and whenever it has changed; null while there is none. It goes on after failures, until the signal aborts.
   * A reader that is slow gets the newest only.
   *
   * @example
   * for await (const register of registers.watch("config/region")) apply(register?.value);
   */
  async *watch<T = unknown>(
    key: string,
    options: CallOptions = {},
  ): AsyncGenerator<Register<T> | null, never, void> {
    const { clock } = this.transport.world;
    let known: string | null = null;
    for (;;) {
      const waitMs: number = known === null ? 0 : WAIT_MS;
      const path = `${pathOf(key)}?waitMs=${waitMs}`;
      const headers: Record<string, string> = known === null ? {} : { "if-none-match": known };
      try {
        const request = { method: "GET", path, headers, has: "value", waitMs } as const;
        const { body, etag, sentAtMs } = await call<Register<T> | null>(this.transport, request, options);
        if (body !== null) {
          known = etag;
          yield { ...body, etag: etag as string };
        }
        // 304, without a body: nothing has changed. A proxy may not wait, or keep the ETag from us.
        const isEarly = clock.monotonicMs() - sentAtMs < waitMs / 2;
        if (body === null ? isEarly : etag === null) await pause(this.transport, options.signal);
      } catch (error) {
        if (options.signal?.aborted || !(error instanceof QuorateError)) throw error;
        const isMissing = error.code === "not_found" && known !== NO_REGISTER;
        if (isMissing) {
          known = NO_REGISTER;
          yield null;
        } else if (mayChange(error) || error.code === "not_found")
          await pause(this.transport, options.signal);
        else throw error;
      }
    }
  }
}

function pathOf(key: string): string {
  // They would become another path on the way.
  if (key === "." || key === "..") throw failure("invalid_request", "key: must not be . or ..", {});
  return `/registers/${encodeURIComponent(key)}`;
}

function conditionOf(etag: string | null | undefined): Record<string, string> {
  if (etag === undefined) return {};
  return etag === null ? { "if-none-match": "*" } : { "if-match": etag };
}

/** The ETag of a register that is not there. */
const NO_REGISTER = '"none"';
const PAUSE_MS_MAX = 500;
