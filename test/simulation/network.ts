import {
  type Connect,
  type Connection,
  type ConnectOptions,
  RedisReplyError,
} from "../../src/redis/connection.js";
import { FifoChannel } from "./fifo-channel.js";
import type { Instance } from "./instance.js";
import type { Batch, Peer, SimulatedPrimary } from "./primary.js";
import type { Chance } from "./random.js";
import type { Reply } from "./redis/reply.js";
import { toClient } from "./redis/server.js";
import type { Scheduler } from "./scheduler.js";

/** How the network behaves when nothing is broken: what changes from one run to the next. */
export interface Weather {
  /** Delay of most messages, ms. */
  readonly delayMs: readonly [low: number, high: number];
  /** Share of messages that are much later, and by how much at most. */
  readonly lateShare: number;
  readonly lateMsMax: number;
  /** Share of messages behind which the connection breaks before the answer is there. */
  readonly lostReplyShare: number;
  /** Share of requests that arrive twice: not over TCP, but behind a proxy that repeats. */
  readonly twiceShare: number;
}

/** What lies between one instance and one primary. */
export class Link {
  readonly requests: FifoChannel;
  readonly replies: FifoChannel;
  readonly connections = new Set<SimulatedConnection>();

  constructor(scheduler: Scheduler) {
    this.requests = new FifoChannel(scheduler);
    this.replies = new FifoChannel(scheduler);
  }

  get isOpen(): boolean {
    return !this.requests.isClosed && !this.replies.isClosed;
  }
}

export class Network {
  readonly #links = new Map<string, Link>();
  /** Faults have stopped: messages are late no more, and nothing breaks. */
  calm = false;

  constructor(
    readonly scheduler: Scheduler,
    readonly chance: Chance,
    readonly weather: Weather,
    private readonly primaries: readonly SimulatedPrimary[],
  ) {}

  link(instance: Instance, primary: SimulatedPrimary): Link {
    const key = `${instance.name} ${primary.place}`;
    let link = this.#links.get(key);
    if (!link) {
      link = new Link(this.scheduler);
      this.#links.set(key, link);
    }
    return link;
  }

  get links(): readonly Link[] {
    return [...this.#links.values()];
  }

  connectFrom(instance: Instance): Connect {
    return (url, options) => {
      const primary = this.primaries.find((one) => one.url === url);
      if (!primary) throw new Error(`no simulated primary at ${url}`);
      return new SimulatedConnection(this, instance, primary, options);
    };
  }

  delayMs(): number {
    const { delayMs, lateShare, lateMsMax } = this.weather;
    if (this.calm) return this.chance.between(...CALM_DELAY_MS);
    if (this.chance.happens(lateShare)) return this.chance.between(delayMs[1], lateMsMax);
    return this.chance.between(...delayMs);
  }

  happens(share: number): boolean {
    return !this.calm && share > 0 && this.chance.happens(share);
  }
}

interface Waiting {
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A message on its way to the server. */
interface Flight {
  batch: Batch | null;
}

/**
 * What src/redis takes for a connection: commands of one turn leave together and arrive in order; each gets one answer,
 * or the connection is lost and nobody knows. It comes back by itself, as ioredis does.
 */
export class SimulatedConnection implements Connection, Peer {
  ready = false;
  #closed = false;
  #attempts = 0;
  #reason: Error | undefined;
  /** Counts connections: what belongs to an earlier one is stale. */
  #generation = 0;
  #outgoing: { command: string; args: string[]; waiting: Waiting }[] = [];
  readonly #waiting = new Set<Waiting>();
  readonly #flights = new Set<Flight>();
  readonly #link: Link;
  readonly #listeners: ((ready: boolean, reason?: Error) => void)[] = [];

  constructor(
    private readonly network: Network,
    private readonly instance: Instance,
    private readonly primary: SimulatedPrimary,
    private readonly options: ConnectOptions,
  ) {
    this.#link = network.link(instance, primary);
    this.#connect();
  }

  onChange(listener: (ready: boolean, reason?: Error) => void): void {
    this.#listeners.push(listener);
  }

  call(command: string, ...args: (string | number)[]): Promise<unknown> {
    if (!this.ready) return Promise.reject(new Error(this.#reason?.message ?? "connection lost"));
    if (this.#outgoing.length === 0) this.network.scheduler.atEndOfTurn(() => this.#flush());
    return new Promise((resolve, reject) => {
      this.#outgoing.push({ command, args: args.map(String), waiting: { resolve, reject } });
    });
  }

  close(): void {
    this.#closed = true;
    this.#end("closed");
  }

  listensTo(channel: string): boolean {
    return this.options.subscription?.channels.has(channel) ?? false;
  }

  /** What is published is told once, or lost with the connection. */
  hear(message: string, channel: string): void {
    const { network, options } = this;
    if (network.happens(network.weather.lostReplyShare)) return;
    const generation = this.#generation;
    this.#link.replies.send(network.delayMs(), () =>
      this.instance.receive(() => {
        if (generation === this.#generation) options.subscription?.onMessage(message, channel);
      }),
    );
  }

  /** The other end is gone, or the network between broke the connection; the instance learns of it a little later. */
  cut(reason: string): void {
    const generation = this.#generation;
    this.#leave();
    const learn = () => {
      if (generation === this.#generation) this.#end(reason);
    };
    this.#link.replies.send(this.network.delayMs(), () => this.instance.receive(learn));
  }

  /** What is on its way may still arrive, much later and behind what a new connection brings. */
  #leave(): void {
    this.primary.peers.delete(this);
    this.#link.connections.delete(this);
    const { network, primary } = this;
    const { life } = primary;
    for (const flight of this.#flights) {
      const { batch } = flight;
      flight.batch = null;
      if (!batch || !primary.alive || !network.happens(STRAGGLERS)) continue;
      network.scheduler.after(network.chance.between(0, STRAGGLING_MS_MAX), () => {
        // What was sent to one process never reaches the next.
        if (primary.life === life) primary.receive({ ...batch, ran: () => {} });
      });
    }
    this.#flights.clear();
  }

  #connect(): void {
    if (this.#closed) return;
    const { network, instance, primary } = this;
    const { connectTimeoutMs } = this.options;
    const generation = ++this.#generation;
    const tell = (outcome: () => void) => () =>
      instance.receive(() => {
        if (generation === this.#generation && !this.#closed) outcome();
      });
    const fail = (reason: string) => tell(() => this.#end(reason));
    const accept = tell(() => {
      if (!primary.alive) return this.#end("connection reset");
      this.ready = true;
      this.#attempts = 0;
      this.#reason = undefined;
      primary.peers.add(this);
      this.#link.connections.add(this);
      this.#tell();
    });
    const delayMs = 2 * network.delayMs();
    network.scheduler.after(Math.min(delayMs, connectTimeoutMs), () => {
      if (delayMs > connectTimeoutMs) fail("connect ETIMEDOUT")();
      else if (!this.#link.isOpen) network.scheduler.after(connectTimeoutMs, fail("connect ETIMEDOUT"));
      else if (primary.alive) accept();
      else fail("connect ECONNREFUSED")();
    });
  }

  /** Nothing more comes of this connection; another one is tried. */
  #end(reason: string): void {
    this.#leave();
    this.#generation += 1;
    this.ready = false;
    this.#reason = new Error(reason);
    const lost = [...this.#waiting, ...this.#outgoing.map(({ waiting }) => waiting)];
    this.#waiting.clear();
    this.#outgoing = [];
    for (const { reject } of lost) reject(new Error(reason));
    if (this.#closed) return;
    this.#tell();
    this.#attempts += 1;
    this.instance.after(Math.min(50 * this.#attempts, RECONNECT_DELAY_MS_MAX), () => this.#connect());
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.ready, this.#reason);
  }

  #flush(): void {
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    if (outgoing.length === 0) return;
    const { network, primary } = this;
    const generation = this.#generation;
    const waiting = outgoing.map((one) => one.waiting);
    for (const one of waiting) this.#waiting.add(one);
    const flight: Flight = {
      batch: {
        sentMs: network.scheduler.nowMs(),
        commands: outgoing.map(({ command, args }) => [command, args]),
        ran: (replies) => this.#reply(generation, waiting, replies),
      },
    };
    this.#flights.add(flight);
    this.#link.requests.send(network.delayMs(), () => {
      const { batch } = flight;
      this.#flights.delete(flight);
      // The server knows nothing of a connection that it lost, though this end may still write.
      if (!batch || generation !== this.#generation || !primary.peers.has(this)) return;
      primary.receive(batch);
      if (network.happens(network.weather.twiceShare)) {
        network.scheduler.after(network.delayMs(), () => primary.receive({ ...batch, ran: () => {} }));
      }
    });
  }

  #reply(generation: number, waiting: readonly Waiting[], replies: readonly Reply[]): void {
    const { network } = this;
    if (generation !== this.#generation || !this.primary.peers.has(this)) return;
    if (network.happens(network.weather.lostReplyShare)) {
      this.cut("connection reset");
      return;
    }
    this.#link.replies.send(network.delayMs(), () =>
      this.instance.receive(() => {
        // Its place tells which answer is whose: answers of a lost connection are nobody's.
        if (generation !== this.#generation) return;
        waiting.forEach((one, place) => {
          if (this.#waiting.delete(one)) settle(one, replies[place] ?? null);
        });
      }),
    );
  }
}

function settle({ resolve, reject }: Waiting, reply: Reply): void {
  try {
    resolve(toClient(reply, (text) => new RedisReplyError(text)));
  } catch (error) {
    reject(error as Error);
  }
}

const CALM_DELAY_MS = [0.1, 0.8] as const;
const RECONNECT_DELAY_MS_MAX = 500;
/** Share of the messages on a broken connection that still arrive, and how late at most. */
const STRAGGLERS = 0.5;
const STRAGGLING_MS_MAX = 1_500;
