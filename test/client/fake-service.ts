import type { World } from "../../src/client/world.js";
import { FakeClock } from "../helpers/fake-clock.js";
import { chosenId } from "../helpers/names.js";

/** A request as an instance receives it. */
export interface Received {
  readonly instance: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what a client may send
  readonly body: any;
  readonly atMs: number;
}

/** What becomes of a request: an answer, or an Error where the connection fails; undefined: nothing, ever. */
export type Reply =
  | { readonly status: number; readonly body?: object; readonly headers?: object }
  | FakeStream
  | Error
  | undefined;

/** An answer that comes in parts, when a test wants. */
export class FakeStream {
  readonly #parts: (string | Error | null)[] = [];
  #wake = () => {};
  /** Whether its reader has gone. */
  isCancelled = false;

  constructor(...parts: readonly string[]) {
    for (const part of parts) this.send(part);
  }

  /** An event as an instance sends it. */
  event(type: string, data: object, id?: string): this {
    return this.send(
      `event: ${type}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`,
    );
  }

  send(text: string): this {
    return this.#put(text);
  }

  end(): this {
    return this.#put(null);
  }

  break(): this {
    return this.#put(new TypeError("terminated"));
  }

  #put(part: string | Error | null): this {
    this.#parts.push(part);
    this.#wake();
    return this;
  }

  readonly response = {
    status: 200,
    headers: new Headers({ "content-type": "text/event-stream" }),
    body: {
      getReader: () => ({
        read: async () => {
          while (this.#parts.length === 0)
            await new Promise<void>((wake) => {
              this.#wake = wake;
            });
          const part = this.#parts.shift();
          if (part instanceof Error) throw part;
          return { done: part === null, value: new TextEncoder().encode(part ?? "") };
        },
        cancel: async () => {
          this.isCancelled = true;
        },
      }),
    },
  } as unknown as Response;
}

/**
 * Instances that a test plays, in virtual time. They never notice that a client has gone, as if the network kept it from
 * them: no request is withdrawn.
 */
export class FakeService {
  readonly clock = new FakeClock();
  readonly received: Received[] = [];

  constructor(
    private readonly reply: (request: Received) => Reply | Promise<Reply>,
    private readonly random: () => number = () => 0.5,
  ) {}

  readonly world: World = {
    clock: this.clock,
    random: () => this.random(),
    leaseId: chosenId,
    fetch: async (input, init = {}) => {
      const { origin, pathname, search } = new URL(String(input));
      const request: Received = {
        instance: origin,
        method: init.method ?? "GET",
        path: pathname + search,
        headers: new Headers(init.headers),
        body: typeof init.body === "string" ? JSON.parse(init.body) : undefined,
        atMs: this.clock.monotonicMs(),
      };
      this.received.push(request);
      const reply = await this.reply(request);
      if (reply === undefined) return new Promise<never>(() => {});
      if (reply instanceof Error) throw reply;
      if (reply instanceof FakeStream) return reply.response;
      const { status, body, headers } = reply;
      // A Response would need more than promises to be read.
      const text = body === undefined ? "" : JSON.stringify(body);
      return { status, headers: new Headers({ ...headers }), text: async () => text } as Response;
    },
  };

  /** The paths of what was received, without /v1. */
  get paths(): string[] {
    return this.received.map(({ path }) => path.replace(/^\/v1/, ""));
  }
}

export function problem(status: number, code: string, more: object = {}): Reply {
  return {
    status,
    body: { type: `urn:quorate:problem:${code}`, title: code, status, code, detail: code, ...more },
  };
}

/** The answer to an acquire or a renewal. */
export function granted({ body }: Received, more: object = {}): Reply {
  const { leaseId, ttlMs } = body;
  const grant = { leaseId, ttlMs, validForMs: ttlMs, waitedMs: 0, acks: 2, primaries: 3, fencingToken: 7 };
  return { status: 200, body: { ...grant, ...more } };
}

export const released: Reply = { status: 200, body: { released: true } };
