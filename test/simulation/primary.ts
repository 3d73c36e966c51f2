import type { Chance } from "./random.js";
import type { LuaMachine } from "./redis/lua.js";
import type { Reply } from "./redis/reply.js";
import { SimulatedRedis } from "./redis/server.js";
import type { Scheduler } from "./scheduler.js";

/** Commands that left together, and what becomes of them. */
export interface Batch {
  readonly sentMs: number;
  readonly commands: readonly (readonly [command: string, args: readonly string[]])[];
  /** Told once, where the server ran them all; not when it died before. */
  readonly ran: (replies: readonly Reply[]) => void;
}

/** Told of everything that a primary runs. */
export type Watch = (
  primary: SimulatedPrimary,
  command: string,
  args: readonly string[],
  reply: Reply,
) => void;

/** Told of what a primary reads much later than it was sent. */
export type Late = (primary: SimulatedPrimary, sentMs: number) => void;

/** Somebody who is connected. */
export interface Peer {
  /** The server is gone. */
  cut(reason: string): void;
  listensTo(channel: string): boolean;
  /** Something was published where it listens. */
  hear(message: string, channel: string): void;
}

/** One primary of the simulation: a Redis on a machine that can pause, die and come back, with a clock of its own. */
export class SimulatedPrimary {
  readonly server: SimulatedRedis;
  readonly peers = new Set<Peer>();
  /** Those that have its data, and pass on what it publishes, for as long as they are replicas. */
  readonly replicas = new Set<SimulatedPrimary>();
  /** Counts its processes. */
  life = 1;
  #alive = true;
  #paused = false;
  #offsetMs: number;
  readonly #speed: number;
  #received: Batch[] = [];

  constructor(
    readonly place: number,
    readonly url: string,
    private readonly scheduler: Scheduler,
    chance: Chance,
    lua: LuaMachine,
    substitute: ((text: string) => string) | undefined,
    private readonly watch: Watch | undefined,
    private readonly late: Late,
    clocksDifferMs: number,
  ) {
    // Clocks differ in what they show, and a little in their speed.
    this.#offsetMs = WALL_CLOCK_MS + chance.between(-clocksDifferMs, clocksDifferMs);
    this.#speed = 1 + chance.between(-0.003, 0.003);
    this.server = new SimulatedRedis({
      clockMs: () => this.clockMs,
      newId: () => chance.digits(40, "0123456789abcdef"),
      lua,
      substitute,
    });
    this.server.keyspace.listeners = (channel) => this.#listeners(channel).length;
  }

  #listeners(channel: string): Peer[] {
    return [...this.peers].filter((peer) => peer.listensTo(channel));
  }

  get name(): string {
    return `primary ${this.place + 1}`;
  }

  /** Virtual time. */
  get nowMs(): number {
    return this.scheduler.nowMs();
  }

  get clockMs(): number {
    return this.#offsetMs + this.scheduler.nowMs() * this.#speed;
  }

  get alive(): boolean {
    return this.#alive;
  }

  receive(batch: Batch): void {
    if (!this.#alive) return;
    if (this.#paused) this.#received.push(batch);
    else this.#run(batch);
  }

  #run({ sentMs, commands, ran }: Batch): void {
    if (this.nowMs - sentMs > LATE_MS) this.late(this, sentMs);
    ran(commands.map(([command, args]) => this.execute(command, args)));
  }

  /** Runs one command, wherever it comes from. */
  execute(command: string, args: readonly string[]): Reply {
    const reply = this.server.execute(command, args);
    const { keyspace } = this.server;
    for (const { channel, message } of keyspace.published)
      for (const one of [this, ...this.replicas])
        if (one === this || one.server.isReplica)
          for (const peer of one.#listeners(channel)) peer.hear(message, channel);
    keyspace.published = [];
    this.watch?.(this, command, args, reply);
    return reply;
  }

  /** As by SIGSTOP: what arrives is read later. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    const received = this.#received;
    this.#received = [];
    for (const batch of received) this.#run(batch);
  }

  /** As by SIGKILL. What it had received and not read is lost. */
  kill(): void {
    this.#alive = false;
    this.#paused = false;
    this.#received = [];
    this.replicas.clear();
    for (const peer of [...this.peers]) peer.cut("connection reset");
    this.peers.clear();
  }

  /** `unnoticed`: it goes on as if it had not been away. */
  start(unnoticed = false): void {
    if (this.#alive) return;
    this.#alive = true;
    this.life += 1;
    if (!unnoticed) this.server.restart();
  }

  /** A clock fault. */
  jump(ms: number): void {
    this.#offsetMs += ms;
  }
}

/** What the simulation's wall clocks show at its start, about. */
export const WALL_CLOCK_MS = Date.UTC(2026, 0, 1);
/** Half of what a dead member may be seen longer, so that the other half is for all else that takes time. */
const LATE_MS = 500;
