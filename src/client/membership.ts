/// <reference lib="esnext.disposable" preserve="true" />
import { QuorateError } from "./errors.js";
import { ATTEMPT_MS, type CallOptions, type Transport } from "./transport.js";
import type { Pulse, Registered, RegisterRequest } from "./types.js";
import { sleep } from "./world.js";

export interface MemberOptions extends RegisterRequest, CallOptions {
  /** The id of the member: no two processes may have the same at a time. */
  readonly id: string;
}

/** A member of a service, kept alive by heartbeats. One that was forgotten registers again. */
export class Membership implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #superseded = new AbortController();
  readonly #beating: Promise<void>;

  private constructor(
    private readonly transport: Transport,
    private readonly path: string,
    private readonly registration: RegisterRequest,
    private registered: Registered,
  ) {
    this.#beating = this.#beat();
  }

  /** Registers the member. Resolves once that is acknowledged. */
  static async join(
    transport: Transport,
    service: string,
    { id, timeoutMs, signal, ...registration }: MemberOptions,
  ): Promise<Membership> {
    const path = `/services/${encodeURIComponent(service)}/members/${encodeURIComponent(id)}`;
    const registered = await register(transport, path, registration, { timeoutMs, signal });
    return new Membership(transport, path, registration, registered);
  }

  /** The last registration, as the service answered it. */
  get member(): Registered {
    return this.registered;
  }

  /** Aborts when another process has taken the id: its reason is `superseded`. This one is no member any more. */
  get signal(): AbortSignal {
    return this.#superseded.signal;
  }

  /** Ends the heartbeats and the membership. False: it was none any more. */
  async leave(options: CallOptions = {}): Promise<boolean> {
    this.#stop.abort();
    // A registration that is under way must not come after this.
    await this.#beating;
    if (this.signal.aborted) return false;
    const { body } = await this.transport.send<{ readonly left: boolean }>({
      method: "DELETE",
      path: this.path,
      ...this.transport.limits(options),
    });
    return body.left;
  }

  /** Leaves, and does not throw where that fails: then the member is gone after its `ttlMs`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave().catch(() => {});
  }

  async #beat(): Promise<void> {
    const { clock, random } = this.transport.world;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const pauseMs = this.registered.heartbeatIntervalMs * (0.8 + 0.2 * random());
      await sleep(clock, pauseMs, signal).catch(() => {});
      if (!signal.aborted) await this.#heartbeat();
    }
  }

  async #heartbeat(): Promise<void> {
    const { transport, path, registered } = this;
    const { incarnation, heartbeatIntervalMs } = registered;
    try {
      await transport.send<Pulse>({
        method: "POST",
        path: `${path}/heartbeat`,
        body: () => ({ incarnation }),
        urgent: true,
        deadlineMs: transport.world.clock.monotonicMs() + registered.ttlMs,
        limitMs: () => Math.min(ATTEMPT_MS, heartbeatIntervalMs / 2),
        signal: this.#stop.signal,
      });
    } catch (error) {
      if (!(error instanceof QuorateError)) return;
      if (error.code === "superseded") this.#end(error);
      // Not to be aborted, so that leaving comes after it.
      if (error.code === "unknown_member") await this.#registerAgain();
    }
  }

  async #registerAgain(): Promise<void> {
    const timeoutMs = this.registered.ttlMs;
    try {
      this.registered = await register(this.transport, this.path, this.registration, { timeoutMs });
    } catch (error) {
      // The next heartbeat finds out whether it is a member.
      if (error instanceof QuorateError && error.code === "superseded") this.#end(error);
    }
  }

  #end(reason: QuorateError): void {
    this.#stop.abort();
    this.#superseded.abort(reason);
  }
}

async function register(
  transport: Transport,
  path: string,
  registration: RegisterRequest,
  options: CallOptions,
): Promise<Registered> {
  const { body } = await transport.send<Registered>({
    method: "PUT",
    path,
    body: () => registration,
    ...transport.limits(options),
  });
  return body;
}
