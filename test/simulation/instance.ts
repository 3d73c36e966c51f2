import type { Clock } from "../../src/clock.js";
import { readConfig } from "../../src/config.js";
import type { Ids } from "../../src/ids.js";
import type { ExpiryObserver } from "../../src/primitives/members/expiry.js";
import type { Connection } from "../../src/redis/connection.js";
import { type Core, createCore } from "../../src/service.js";
import type { Network } from "./network.js";
import { type SimulatedPrimary, WALL_CLOCK_MS } from "./primary.js";
import type { Chance } from "./random.js";
import type { Scheduler } from "./scheduler.js";

export interface InstanceSettings {
  readonly ttlMaxMs: number;
  readonly commandTimeoutMs: number;
  readonly rotateAfterMs: number;
  /** How often the copies of the primaries are compared; rarely, unless said otherwise. */
  readonly antiEntropyIntervalMs?: number;
  /** For how long what is left of a deleted register stays at least. */
  readonly goneForMs?: number;
  /** The latest protocol that it knows, if not that of this version. */
  readonly protocol?: number;
}

/** One process of the service: the production code on virtual time. It can be frozen, resumed and killed. */
export class Instance {
  readonly core: Core;
  readonly clock: Clock;
  readonly ids: Ids;
  /** To each primary, in their order. */
  readonly connections: Connection[] = [];
  #alive = true;
  #frozen = false;
  #messages: (() => void)[] = [];
  #timers: (() => void)[] = [];
  readonly #speed: number;
  readonly #wallOffsetMs: number;
  #killed: () => void = () => {};
  /** Resolves when the process is killed: nothing that it was asked is answered any more. */
  readonly death: Promise<void>;

  constructor(
    readonly name: string,
    private readonly scheduler: Scheduler,
    network: Network,
    primaries: readonly SimulatedPrimary[],
    chance: Chance,
    readonly settings: InstanceSettings,
    log: (line: string) => void,
    expired: ExpiryObserver["expired"] = () => {},
  ) {
    this.#speed = 1 + chance.between(-0.002, 0.002);
    // Of another machine: its wall clock may be off by some ms.
    this.#wallOffsetMs = WALL_CLOCK_MS + chance.between(-20, 20);
    this.death = new Promise((resolve) => {
      this.#killed = resolve;
    });
    this.clock = this.#clock();
    this.ids = idsFrom(chance.stream(`${name} ids`));
    const connect = network.connectFrom(this);
    const say = (fields: object, message: string) => log(`${name}: ${message} ${JSON.stringify(fields)}`);
    this.core = createCore(
      { ...readConfig({}), ...settings },
      { urls: primaries.map(({ url }) => url), embedded: false },
      {
        connect: (...where) => {
          const connection = connect(...where);
          this.connections.push(connection);
          return connection;
        },
        clock: this.clock,
        random: chance.stream(`${name} random`).next,
        ids: this.ids,
        log: { info: say, warn: say },
      },
      {
        called: () => {},
        members: { expired, reported: () => {}, probed: () => {} },
        dropped: () => {},
        changed: (primary, { state, reason }) =>
          log(`${name}: ${primary.address} is ${state}${reason ? ` (${reason})` : ""}`),
      },
    );
    // What was deleted goes while a run lasts; and by then ballots must be above the floor.
    const { goneForMs = GONE_FOR_MS } = settings;
    Object.assign(this.core.registerUpkeep, {
      goneForMs,
      floorStep: Math.min(FLOOR_STEP, goneForMs * 4) || 1,
    });
  }

  get alive(): boolean {
    return this.#alive;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  /** Something arrived from outside. */
  receive(task: () => void): void {
    if (!this.#alive) return;
    if (this.#frozen) this.#messages.push(task);
    else task();
  }

  /** A timer of this process. */
  after(ms: number, task: () => void): () => void {
    let cancelled = false;
    const fire = () => {
      if (!this.#alive || cancelled) return;
      if (this.#frozen) this.#timers.push(fire);
      else task();
    };
    const cancel = this.scheduler.after(ms / this.#speed, fire);
    return () => {
      cancelled = true;
      cancel();
    };
  }

  freeze(): void {
    this.#frozen = true;
  }

  /** What has arrived meanwhile is handled before timers that are due, as src/clock.ts promises. */
  resume(): void {
    if (!this.#frozen) return;
    this.#frozen = false;
    const tasks = [...this.#messages.map((task) => () => this.receive(task)), ...this.#timers];
    this.#messages = [];
    this.#timers = [];
    for (const task of tasks) this.scheduler.after(0, task);
  }

  /** As by SIGKILL. */
  kill(): void {
    this.#alive = false;
    this.#killed();
    this.core.close();
  }

  #clock(): Clock {
    const { scheduler } = this;
    return {
      monotonicMs: () => scheduler.nowMs() * this.#speed,
      wallMicros: () => Math.floor((this.#wallOffsetMs + scheduler.nowMs()) * 1000),
      after: (ms, task) => this.after(ms, task),
      soon: (task) =>
        scheduler.atEndOfTurn(() => {
          if (this.#alive) task();
        }),
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted) return reject(signal.reason);
          const abort = () => {
            cancel();
            reject(signal?.reason);
          };
          const cancel = this.after(ms, () => {
            signal?.removeEventListener("abort", abort);
            resolve();
          });
          signal?.addEventListener("abort", abort);
        }),
    };
  }
}

function idsFrom(chance: Chance): Ids {
  return {
    leaseId: () => `q-${chance.digits(22, LETTERS)}`,
    memberKey: () => chance.digits(12, LETTERS),
    nonce: () => chance.digits(12, LETTERS),
    hexNonce: () => chance.digits(24, "0123456789abcdef"),
  };
}

const GONE_FOR_MS = 200;
/** A quarter of that, in sixteenths of a millisecond. */
const FLOOR_STEP = 800;
const LETTERS = "abcdefghijklmnopqrstuvwxyz";
