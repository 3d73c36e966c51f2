import type { Ballot } from "../../algorithms/ballot.js";
import type { Subscriptions } from "../../redis/subscriptions.js";
import type { Keys } from "../../scripts/keys.js";
import { groupOf } from "../../scripts/register-kinds.js";

/** What tells of changes of all registers whose names begin alike. */
export interface Follower {
  /** What their names begin with: a kind and a namespace at least. */
  readonly beginning: string;
  heard(name: string): void;
  /** News may have been missed until now. */
  missed(): void;
}

/**
 * Tells when registers have changed: once a majority of the primaries published that they accepted a new version. Messages may
 * be lost, so whoever listens reads now and then all the same. By the names of registers.
 */
export class RegisterNews {
  readonly #groups = new Map<string, Group>();

  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly keys: Keys,
    private readonly majority: number,
  ) {}

  /** Calls `wake` when the register may have changed. Returns what ends it. */
  listen(name: string, wake: () => void): () => void {
    const group = this.#group(groupOf(name));
    return group.add(group.wakes, name, wake);
  }

  /** Returns what ends it. */
  follow(follower: Follower): () => void {
    const group = this.#group(groupOf(follower.beginning));
    return group.add(group.followers, follower.beginning, follower);
  }

  /** On how many primaries the news of these registers are heard now. */
  heardOn(beginning: string): number {
    return this.#groups.get(groupOf(beginning))?.subscribedOn.size ?? 0;
  }

  #group(name: string): Group {
    const known = this.#groups.get(name);
    if (known) return known;
    const group = new Group(this.majority, () => {
      this.#groups.delete(name);
      stop();
    });
    this.#groups.set(name, group);
    const stop = this.subscriptions.listen(this.keys.registerChannel(name), group);
    return group;
  }
}

/** Those who listen to the registers of one kind in one namespace. */
class Group {
  readonly wakes = new Map<string, Set<() => void>>();
  readonly followers = new Map<string, Set<Follower>>();
  readonly subscribedOn = new Set<number>();
  /** Of registers that somebody listens to: the latest version that was published, and by which primaries. */
  readonly #published = new Map<string, { readonly etag: Ballot; readonly by: Set<number> }>();

  constructor(
    private readonly majority: number,
    private readonly onEmpty: () => void,
  ) {}

  add<T>(all: Map<string, Set<T>>, key: string, one: T): () => void {
    const known = all.get(key);
    if (known) known.add(one);
    else all.set(key, new Set([one]));
    return () => {
      const left = all.get(key);
      if (!left?.delete(one)) return;
      if (left.size === 0) all.delete(key);
      if (this.wakes.size + this.followers.size === 0) this.onEmpty();
    };
  }

  /** `message`: as accept-register.lua publishes it. */
  heard(primary: number, message: string): void {
    const [etag, name] = [message.slice(0, ETAG_LENGTH), message.slice(ETAG_LENGTH + 1)];
    const following = [...this.followers.keys()].filter((beginning) => name.startsWith(beginning));
    if (following.length === 0 && !this.wakes.has(name)) return;
    const known = this.#published.get(name);
    const published = known?.etag === etag ? known : { etag, by: new Set<number>() };
    if (published.by.has(primary)) return;
    published.by.add(primary);
    this.#published.set(name, published);
    const [oldest] = this.#published.keys();
    if (this.#published.size > PUBLISHED_MAX && oldest !== undefined) this.#published.delete(oldest);
    if (published.by.size !== this.majority) return;
    for (const wake of this.wakes.get(name) ?? []) wake();
    for (const beginning of following)
      for (const follower of this.followers.get(beginning) ?? []) follower.heard(name);
  }

  subscribed(primary: number): void {
    this.subscribedOn.add(primary);
    for (const wakes of this.wakes.values()) for (const wake of wakes) wake();
    for (const followers of this.followers.values()) for (const one of followers) one.missed();
  }
}

const ETAG_LENGTH = 37;
/** Names that are kept of what was published; the oldest is dropped, and is found by looking. */
const PUBLISHED_MAX = 2_000;
