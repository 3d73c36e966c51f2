import { type Connect, type Connection, connectByIoredis } from "../../src/redis/connection.js";
import { SCRIPTS } from "../../src/scripts/scripts.js";

/**
 * Makes an instance die at a certain step: when `stepsLeft` scripts of the reconciler were sent, nothing arrives any more,
 * not even the reply to the last. Until `dieAfter` is called it lives.
 */
export class Dying {
  #stepsLeft = Number.POSITIVE_INFINITY;
  readonly #lost: (() => void)[] = [];

  get dead(): boolean {
    return this.#stepsLeft <= 0;
  }

  dieAfter(steps: number): void {
    this.#stepsLeft = steps;
    if (this.dead) this.#die();
  }

  readonly connect: Connect = (url, options) => {
    const real = connectByIoredis(url, options);
    const listeners: ((ready: boolean, reason?: Error) => void)[] = [];
    const tell = (ready: boolean, reason?: Error) => {
      for (const listener of listeners) listener(ready, reason);
    };
    real.onChange((ready, reason) => {
      if (!this.dead) tell(ready, reason);
    });
    this.#lost.push(() => tell(false, new Error("this instance is dead")));
    const isDead = () => this.dead;
    const connection: Connection = {
      get ready() {
        return real.ready && !isDead();
      },
      onChange: (listener) => void listeners.push(listener),
      call: async (command, ...args) => {
        if (this.dead) throw new Error("this instance is dead");
        if (command === "EVALSHA" && STEPS.has(String(args[0]))) this.#stepsLeft -= 1;
        const last = this.dead;
        const reply = real.call(command, ...args);
        if (!last) return reply;
        await reply.catch(() => {});
        this.#die();
        throw new Error("this instance is dead");
      },
      close: () => real.close(),
    };
    return connection;
  };

  #die(): void {
    for (const lost of this.#lost.splice(0)) lost();
  }
}

/** What changes something in a readmission or a cold start. */
const STEPS = new Set(
  [
    SCRIPTS.prepare,
    SCRIPTS.accept,
    SCRIPTS["commit-configuration"],
    SCRIPTS["drop-holds"],
    SCRIPTS["drop-borrowed"],
    SCRIPTS["restore-counters"],
    SCRIPTS["restore-tombstones"],
    SCRIPTS["put-member"],
    SCRIPTS.admit,
  ].map(({ sha1 }) => sha1),
);
