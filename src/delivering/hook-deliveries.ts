import type { Clock, Random } from "../clock.js";
import { AllowList } from "../outbound/allow-list.js";
import { type Post, postingBy } from "../outbound/post.js";
import type { Hooks } from "../primitives/hooks/hooks.js";
import { Instances, inRounds } from "../primitives/instances.js";
import type { Locks } from "../primitives/lock.js";
import type { MemberEvents } from "../primitives/members/events/member-events.js";
import type { Membership } from "../primitives/members/membership.js";
import { assertAllowed } from "./allowed.js";
import type { HookObserver } from "./hook-delivery.js";
import { ServiceHooks } from "./service-hooks.js";

export interface HookDeliveriesDependencies {
  readonly hooks: Hooks;
  readonly membership: Membership;
  readonly events: Pick<MemberEvents, "watch">;
  readonly locks: Pick<Locks, "acquire" | "renew" | "release">;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer?: HookObserver | undefined;
  /** Makes a request, if not over the network. */
  readonly post?: Post;
}

/**
 * Tells hooks what happens to the members of their services. A ring of the instances says whose a service is, and a lease sees
 * to it that no other tells its hooks meanwhile. Where nothing is allowed it does nothing at all.
 */
export class HookDeliveries {
  readonly #allow: AllowList;
  readonly #post: Post;
  readonly #instances: Instances;
  readonly #services = new Map<string, ServiceHooks>();
  readonly #stopping = new AbortController();

  /** `allow`: as `QUORATE_HOOK_ALLOW` has it. `id`: of this instance. */
  constructor(
    allow: readonly string[],
    id: string,
    private readonly dependencies: HookDeliveriesDependencies,
  ) {
    this.#allow = new AllowList(allow);
    this.#post = dependencies.post ?? postingBy(this.#allow, dependencies.clock);
    this.#instances = new Instances("hooks", dependencies.membership, id);
  }

  /** How many hooks this instance tells. */
  get hooks(): number {
    return [...this.#services.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Throws `invalid_request` where a URL is none, or not allowed. `field`: in the request. */
  check(field: string, url: string): void {
    assertAllowed(this.#allow, field, url, "QUORATE_HOOK_ALLOW");
  }

  start(): void {
    if (this.#allow.isEmpty) return;
    const { clock } = this.dependencies;
    void inRounds(() => this.#round(), ROUND_MS, clock, this.#stopping.signal);
  }

  stop(): void {
    this.#stopping.abort();
    for (const one of this.#services.values()) one.stop();
    this.#services.clear();
    this.#instances.leave().catch(() => {});
  }

  /** Begins with the services that are this instance's now, and ends with those that are another's. */
  async #round(): Promise<void> {
    await this.#instances.meet();
    const services = await this.dependencies.hooks.services();
    if (this.#stopping.signal.aborted) return;
    const own = new Set(services.filter((service) => this.#instances.isOwn(service)));
    for (const [service, one] of this.#services) {
      if (own.has(service)) continue;
      one.stop();
      this.#services.delete(service);
    }
    for (const service of own) if (!this.#services.has(service)) this.#begin(service);
  }

  #begin(service: string): void {
    const one = new ServiceHooks(service, this.#instances.id, {
      ...this.dependencies,
      allow: this.#allow,
      post: this.#post,
    });
    this.#services.set(service, one);
    void one.run();
  }
}

/** How often instances look at each other and at which services have hooks. */
const ROUND_MS = 1_500;
