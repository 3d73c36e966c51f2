import { afterAll, afterEach, beforeAll } from "vitest";
import type { LockState } from "../../src/primitives/lock.js";
import { Keys } from "../../src/scripts/keys.js";
import { allTakePart, command } from "./deployment.js";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "./primaries.js";
import { type Instance, type InstanceOptions, ownPrefix, startInstance, until } from "./service.js";

/** Two instances of the service on the same three primaries: neither knows of the other. For a whole test file. */
export class Pair {
  readonly prefix = ownPrefix();
  primaries!: TestPrimaries;
  one!: Instance;
  other!: Instance;

  constructor(options: InstanceOptions = {}) {
    beforeAll(async () => {
      // Nothing here is about what survives on a disk.
      this.primaries = await startPrimaries(3, { args: ["--appendfsync", "no"] });
      [this.one, this.other] = await Promise.all([this.instance(options), this.instance(options)]);
    });
    afterEach(async () => {
      await Promise.all(this.primaries.all.map((primary) => primary.resume().then(() => primary.start())));
      // Instances may have noticed that one was away.
      await Promise.all([this.one, this.other].map((instance) => allTakePart(instance)));
    });
    afterAll(async () => {
      await this.one[Symbol.asyncDispose]();
      await this.other[Symbol.asyncDispose]();
      await this.primaries.close();
    });
  }

  /** One more. */
  instance(options: InstanceOptions = {}): Promise<Instance> {
    return startInstance(this.primaries.urls, { prefix: this.prefix, ...options });
  }

  /** An instance dies without a word; resolves when the primaries have noticed that nobody listens there any more. */
  async kill({ service }: Instance): Promise<void> {
    service.close();
    const channel = new Keys(this.prefix).notificationChannel(service.waiting.instance);
    const listeners = async () => {
      const all = this.primaries.all.map((primary) => command(primary, "PUBSUB", "NUMSUB", channel));
      return (await Promise.all(all)).map((reply) => Number((reply as [string, number])[1]));
    };
    await until(async () => (await listeners()).every((count) => count === 0), "nobody listens");
  }

  /** Of an even number the one, of an odd one the other. */
  at(i: number): Instance {
    return i % 2 === 0 ? this.one : this.other;
  }

  primary(place: number): TestPrimary {
    return this.primaries.all[place] as TestPrimary;
  }

  lock(name: string): Promise<LockState> {
    return this.one.service.locks.inspect(name);
  }

  /** Until so many wait for a lock. */
  async untilWaiting(name: string, count: number): Promise<void> {
    await until(async () => (await this.lock(name)).waiting === count, `${count} wait for ${name}`);
  }
}
