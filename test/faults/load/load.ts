import { setTimeout as sleep } from "node:timers/promises";
import type { Recorder } from "../../history/recorder.js";
import { Chance } from "../../simulation/random.js";
import { INSTANCES, type TestCluster } from "../cluster/cluster.js";
import type { Asker } from "./asking.js";
import { meet } from "./barriers.js";
import { type BoundUser, bind } from "./bound.js";
import { addUp, countDown } from "./counts.js";
import { FLEET, observe, operate, serve } from "./fleet.js";
import { type LockClient, ServiceLocks } from "./lock-service.js";
import { contend, type LockUser, probe, standInLine, takeFresh } from "./locks.js";
import { live, look, type MemberUser } from "./members.js";
import { RedlockLocks } from "./plain-redlock.js";
import { keepRegisters, type RegisterUser } from "./registers.js";
import { agree, type Coordinator } from "./transactions.js";
import { moveMoney } from "./transfers.js";
import { Watcher } from "./watchers.js";

export interface LoadOptions {
  readonly seed: number;
  /** What is asked. */
  readonly subject: "service" | "redlock";
  /** Multiplies the clients of a test that runs beside others. */
  readonly load: number;
}

/** All clients of a run, from its construction on until the signal aborts. */
export class Load {
  readonly #closing: (() => void)[] = [];
  readonly #startMs = performance.now();
  readonly #prober: LockUser;
  /** Of the fleet, until all is over. */
  readonly watchers: readonly Watcher[];
  readonly #watching = new AbortController();
  #probes = 0;
  /** Resolves when every client has come to its end. */
  readonly ended: Promise<void>;

  constructor(
    private readonly cluster: TestCluster,
    private readonly recorder: Recorder,
    private readonly signal: AbortSignal,
    private readonly options: LoadOptions,
  ) {
    const { load, subject } = options;
    const many = <T>(count: number, start: (place: number) => T) =>
      Array.from({ length: count * load }, (_, i) => start(i));
    const names = ["wanted-0", "wanted-1", "wanted-2"];
    const clients = [
      ...many(6, (i) => contend(this.#lockUser(`contender-${i}`, 60), names, subject === "service")),
      ...many(2, (i) => takeFresh(this.#lockUser(`taker-${i}`, 40), i % INSTANCES.length)),
    ];
    if (subject === "service") {
      clients.push(
        ...many(8, (i) => standInLine(this.#lockUser(`waiter-${i}`, 20), "line")),
        ...many(4, (i) => live(this.#memberUser(`member-${i}`, 100))),
        ...many(2, (i) => look(this.#memberUser(`looker-${i}`, 50), VIEW_AGE_MS_MAX)),
        ...many(3, (i) => bind(this.#boundUser(`bound-${i}`, 60), names)),
        ...many(4, (i) => keepRegisters(this.#registerUser(`register-${i}`, 60))),
        ...this.#onRegisters(many),
        ...this.#fleet(),
      );
    }
    const { services } = cluster;
    this.watchers = services.flatMap((_, at) =>
      many(1, (i) => new Watcher(`watcher-${at}-${i}`, FLEET, services, recorder, this.#watching.signal, at)),
    );
    this.#prober = this.#lockUser("prober", 0);
    this.ended = Promise.all(clients).then(() => {
      for (const close of this.#closing) close();
    });
    // Looked at when the run is over: a mistake in a client must not end the process before.
    this.ended.catch(() => {});
  }

  /**
   * Asks until each instance has granted a lock. Primaries in quarantine grant none until what they may have forgotten
   * has ended; after `SERVE_MS_MAX` one more must succeed, or it is a violation.
   */
  async mustServe(): Promise<void> {
    const endMs = performance.now() + SERVE_MS_MAX;
    for (const at of INSTANCES.keys()) {
      for (let late = false; !late; late = performance.now() > endMs) {
        if (await this.#probe(at, false)) break;
        await sleep(20);
      }
      if (performance.now() > endMs) await this.#probe(at, true);
    }
  }

  /** When all else has ended: no watcher is told anything any more. */
  async endWatching(): Promise<void> {
    this.#watching.abort();
    await Promise.all(this.watchers.map(({ ended }) => ended));
  }

  #fleet(): Promise<void>[] {
    const members = Array.from({ length: FLEET_MEMBERS * this.options.load }, (_, i) => `ship-${i}`);
    return [
      ...members.map((member) =>
        serve(
          this.#memberUser(member, 100),
          member,
          members.filter((other) => other !== member),
        ),
      ),
      operate(this.#memberUser("operator", 200), members),
      ...INSTANCES.map((id) => observe(this.#memberUser(`observer-${id}`, 60))),
    ];
  }

  /** What is built on registers. */
  #onRegisters(many: (count: number, start: (place: number) => Promise<void>) => Promise<void>[]) {
    const current = (name: string) => () => `${name}-${this.#life()}`;
    return [
      ...many(3, (i) => moveMoney(this.#patientUser(`mover-${i}`, 100), current("bank"))),
      ...many(3, (i) => agree(this.#coordinator(`coordinator-${i}`, 100))),
      ...many(2, (i) => addUp(this.#memberUser(`adder-${i}`, 100), current("sum"))),
      ...many(3, (i) =>
        countDown(this.#memberUser(`counter-${i}`, 120), (turn) => `${current("latch")()}-${turn}`),
      ),
      ...many(4, (i) => meet(this.#memberUser(`meeting-${i}`, 120), current("barrier"))),
    ];
  }

  #probe(at: number, mustSucceed: boolean): Promise<boolean> {
    return probe(this.#prober, at, `probe-${++this.#probes}`, mustSucceed);
  }

  #lockUser(id: string, thinkMs: number): LockUser {
    const { recorder, signal } = this;
    const chance = new Chance(this.options.seed, id);
    return { id, locks: this.#locks(), recorder, chance, signal, withinMs: WITHIN_MS, thinkMs };
  }

  #locks(): LockClient {
    const client =
      this.options.subject === "service"
        ? new ServiceLocks(this.cluster.services, PATIENCE_MS)
        : new RedlockLocks(INSTANCES.map(this.cluster.urlsFor), { retryCount: 2, patienceMs: PATIENCE_MS });
    this.#closing.push(() => client.close());
    return client;
  }

  #boundUser(id: string, thinkMs: number): BoundUser {
    return { ...this.#lockUser(id, thinkMs), services: this.cluster.services, patienceMs: PATIENCE_MS };
  }

  #coordinator(id: string, thinkMs: number): Coordinator {
    return { ...this.#lockUser(id, thinkMs), ...this.#memberUser(id, thinkMs) };
  }

  /** Of transactions of registers, whose tries may take so much longer. */
  #patientUser(id: string, thinkMs: number): Asker {
    const user = this.#memberUser(id, thinkMs);
    return {
      ...user,
      withinMs: user.withinMs + TRIES_LAST_MS,
      patienceMs: user.patienceMs + TRIES_LAST_MS,
    };
  }

  #registerUser(id: string, thinkMs: number): RegisterUser {
    return { ...this.#memberUser(id, thinkMs), key: (place) => `kept/${place}/${this.#life()}` };
  }

  /** Counts up from time to time: what was used until then has a history that can be judged. */
  #life(): number {
    return Math.floor((performance.now() - this.#startMs) / SERVICE_LIFE_MS);
  }

  #memberUser(id: string, thinkMs: number): MemberUser {
    const { recorder, signal } = this;
    return {
      id,
      services: this.cluster.services,
      recorder,
      chance: new Chance(this.options.seed, id),
      signal,
      withinMs: WITHIN_MS,
      patienceMs: PATIENCE_MS,
      thinkMs,
      service: () => `service-${this.#life()}`,
    };
  }
}

/** An answer is due within this, ms: several command timeouts, on a machine that has other things to do. */
const WITHIN_MS = 4_000;
/** How long a client waits: longer, so that a late answer is seen as late. */
const PATIENCE_MS = 8_000;
/** From the end of a fault until a lock must be granted again, ms: the longest lease, and much for a busy machine. */
const SERVE_MS_MAX = 20_000;
/** As docs/limits.md says. */
const TRIES_LAST_MS = 5_000;
const FLEET_MEMBERS = 5;
/** No service collects all members that ever were. */
const SERVICE_LIFE_MS = 20_000;
/** What the service has where nothing is set. */
const VIEW_AGE_MS_MAX = 250;
