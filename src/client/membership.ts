/// <reference lib="esnext.disposable" preserve="true" />
import { wasSent } from "./attempt.js";
import { QuorateError } from "./errors.js";
import { ATTEMPT_MS, type CallOptions, type Transport } from "./transport.js";
import type { LoadReport, Pulse, Registered, RegisterRequest } from "./types.js";
import { sleep } from "./world.js";

export interface MemberOptions extends RegisterRequest, CallOptions {
  /** The id of the member: no two processes may have the same at a time. */
  readonly id: string;
  /** What each heartbeat reports of its load, for picks by `least-load` and `sticky`. Where it throws, or is refused, a heartbeat has none. */
  readonly load?: (() => LoadReport) | undefined;
  /** Called with the answer to each heartbeat, and with when that was sent, on the monotonic clock in ms. */
  readonly onPulse?: ((answer: { readonly body: Pulse; readonly sentAtMs: number }) => void) | undefined;
}

export interface DrainOptions extends CallOptions {
  /** The member is removed after this time, ms; unless given, when it leaves. */
  readonly drainMs?: number | undefined;
}

export interface LeaveOptions extends CallOptions {
  /** The process comes back: its place in the ring is kept, for 30 s unless `restartGraceMs` is given. */
  readonly restart?: boolean | undefined;
  readonly restartGraceMs?: number | undefined;
}

/** A member of a service, kept alive by heartbeats. One that was forgotten registers again, unless it drains. */
export class Membership implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #superseded = new AbortController();
  readonly #beating: Promise<void>;
  #registering: Promise<void> = Promise.resolve();
  #isDraining = false;

  private constructor(
    private readonly transport: Transport,
    private readonly path: string,
    private readonly options: MemberOptions,
    private last: Registration,
  ) {
    this.#beating = this.#beat();
  }

  /** Registers the member. Resolves once that is acknowledged. */
  static async join(transport: Transport, service: string, options: MemberOptions): Promise<Membership> {
    const path = `/services/${encodeURIComponent(service)}/members/${encodeURIComponent(options.id)}`;
    const last = await register(transport, path, options, options);
    return new Membership(transport, path, options, last);
  }

  /** The last registration, as the service answered it. */
  get member(): Registered {
    return this.last.member;
  }

  /** Aborts when another process has taken the id: its reason is `superseded`. This one is no member any more. */
  get signal(): AbortSignal {
    return this.#superseded.signal;
  }

  /**
   * From now on it owns no keys, and is picked only when nobody else lives. It is listed, and its heartbeats go on, so that
   * it can end its work.
   */
  async drain({ drainMs, ...options }: DrainOptions = {}): Promise<void> {
    this.#isDraining = true;
    // A registration that is under way would say otherwise after this.
    await this.#registering;
    const { incarnation } = this.member;
    await this.transport.send({
      method: "PATCH",
      path: this.path,
      body: () => ({ incarnation, status: "draining", drainMs }),
      answerHas: "incarnation",
      ...this.transport.limits(options),
    });
  }

  /** Ends the heartbeats and the membership. False: it was none any more. */
  async leave({ restart, restartGraceMs, ...options }: LeaveOptions = {}): Promise<boolean> {
    this.#stop.abort();
    // A registration that is under way must not come after this.
    await this.#beating;
    if (this.signal.aborted) return false;
    const { isRepeated, member } = this.last;
    // Not the process that has taken the id, unless that may be this one.
    const incarnation = isRepeated ? undefined : member.incarnation;
    const query = Object.entries({ incarnation, restart, restartGraceMs }).flatMap(([name, value]) =>
      value === undefined ? [] : `${name}=${value}`,
    );
    try {
      const { body } = await this.transport.send<{ readonly left: boolean }>({
        method: "DELETE",
        path: query.length > 0 ? `${this.path}?${query.join("&")}` : this.path,
        ...this.transport.limits(options),
      });
      return body.left;
    } catch (error) {
      if (error instanceof QuorateError && error.code === "superseded") return false;
      throw error;
    }
  }

  /** Leaves, and does not throw where that fails: then the member is gone after its `ttlMs`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave().catch(() => {});
  }

  async #beat(): Promise<void> {
    const { clock, random } = this.transport.world;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const pauseMs = this.member.heartbeatIntervalMs * (0.8 + 0.2 * random());
      await sleep(clock, pauseMs, signal).catch(() => {});
      if (!signal.aborted) await this.#heartbeat();
    }
  }

  async #heartbeat(load = this.#loadNow()): Promise<void> {
    const { transport, path, member } = this;
    const { incarnation, memberKey, heartbeatIntervalMs } = member;
    try {
      const answer = await transport.send<Pulse>({
        method: "POST",
        path: `${path}/heartbeat`,
        body: () => ({ incarnation, memberKey, load: load ?? undefined }),
        urgent: true,
        deadlineMs: transport.world.clock.monotonicMs() + member.ttlMs,
        limitMs: () => Math.min(ATTEMPT_MS, heartbeatIntervalMs / 2),
        signal: this.#stop.signal,
      });
      this.options.onPulse?.(answer);
    } catch (error) {
      if (!(error instanceof QuorateError)) return;
      // Not to be aborted, so that leaving comes after it.
      if (error.code === "unknown_member" || this.#isOwnSuccessor(error)) {
        this.#registering = this.#registerAgain();
        await this.#registering;
      } else if (error.code === "superseded") this.#end(error);
      // Above 1, for instance.
      else if (error.code === "invalid_request" && load) await this.#heartbeat(null);
    }
  }

  /** A member whose load cannot be told lives nevertheless. */
  #loadNow(): LoadReport | null {
    try {
      return this.options.load?.() ?? null;
    } catch {
      return null;
    }
  }

  /** An instance may carry out a request whose answer we did not wait for after its repetition. */
  #isOwnSuccessor({ code }: QuorateError): boolean {
    return code === "superseded" && this.last.isRepeated;
  }

  async #registerAgain(): Promise<void> {
    // It was removed when its time to drain was over.
    if (this.#isDraining) return this.#stop.abort();
    const timeoutMs = this.member.ttlMs;
    try {
      this.last = await register(this.transport, this.path, this.options, { timeoutMs });
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

interface Registration {
  readonly member: Registered;
  /** Whether an attempt before the one that was answered may have arrived. */
  readonly isRepeated: boolean;
}

async function register(
  transport: Transport,
  path: string,
  { id: _, load: __, onPulse: ___, timeoutMs: ____, signal: _____, ...registration }: MemberOptions,
  limits: CallOptions,
): Promise<Registration> {
  let isRepeated = false;
  const { body } = await transport.send<Registered>({
    method: "PUT",
    path,
    body: () => registration,
    answerHas: "heartbeatIntervalMs",
    onFailure: (error) => {
      isRepeated ||= error instanceof QuorateError && wasSent(error);
    },
    ...transport.limits(limits),
  });
  return { member: body, isRepeated };
}
