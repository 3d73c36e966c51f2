import { afterAll, afterEach, beforeAll } from "vitest";
import type { LockState } from "../../src/primitives/lock.js";
import { Keys } from "../../src/scripts/keys.js";
import { allTakePart, command } from "./deployment.js";
import { type SharedPrimary, startPrimaries, type TestPrimaries, type TestPrimary } from "./primaries.js";
import { type Instance, type InstanceOptions, ownPrefix, startInstance, until } from "./service.js";
import { sharedPrimaries } from "./shared-primaries.js";

interface Servers<Primary> {
  readonly all: readonly Primary[];
  readonly urls: readonly string[];
}

/** Two instances of the service on the same three primaries: neither knows of the other. For a whole test file. */
abstract class PairOn<Primary extends SharedPrimary, All extends Servers<Primary>> {
  readonly prefix = ownPrefix();
  primaries!: All;
  one!: Instance;
  other!: Instance;

  protected constructor(start: () => Promise<All>, options: InstanceOptions) {
    beforeAll(async () => {
      this.primaries = await start();
      [this.one, this.other] = await Promise.all([this.instance(options), this.instance(options)]);
    });
    afterAll(async () => {
      await this.one[Symbol.asyncDispose]();
      await this.other[Symbol.asyncDispose]();
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

  primary(place: number): Primary {
    return this.primaries.all[place] as Primary;
  }

  lock(name: string): Promise<LockState> {
    return this.one.service.locks.inspect(name);
  }

  /**
   * Until each primary has heard of what was granted: an answer needs a majority only, and whoever then takes it from
   * one primary may have taken the majority.
   */
  async untilOnAll(key: string): Promise<void> {
    const counts = () => Promise.all(this.primaries.all.map((primary) => command(primary, "EXISTS", key)));
    await until(async () => (await counts()).every((count) => count === 1), `${key} is on each primary`);
  }

  /** Until so many wait for a lock. */
  async untilWaiting(name: string, count: number): Promise<void> {
    await until(async () => (await this.lock(name)).waiting === count, `${count} wait for ${name}`);
  }
}

/** On primaries that other test files use as well. */
export class Pair extends PairOn<SharedPrimary, Servers<SharedPrimary>> {
  constructor(options: InstanceOptions = {}) {
    super(sharedPrimaries, options);
  }
}

/** On primaries of their own, which may be killed and paused: each test finds them up again. */
export class OwnPair extends PairOn<TestPrimary, TestPrimaries> {
  constructor(
    options: InstanceOptions = {},
    // Nothing is about what survives on a disk, unless said otherwise.
    start: () => Promise<TestPrimaries> = () => startPrimaries(3, { args: ["--appendfsync", "no"] }),
  ) {
    super(start, options);
    afterEach(async () => {
      await Promise.all(this.primaries.all.map((primary) => primary.resume().then(() => primary.start())));
      // Instances may have noticed that one was away.
      await Promise.all([this.one, this.other].map((instance) => allTakePart(instance)));
    });
    afterAll(() => this.primaries.close());
  }
}
