import { buildRing, type RingMember } from "../algorithms/ring.js";
import type { Clock } from "../clock.js";
import { ownService } from "../namespace.js";
import type { Membership } from "./members/membership.js";

/**
 * The instances that share a kind of work, as each of them knows them: they are members of a service of their own, and its ring
 * says what is whose. A view may be old for a moment: then some work is done by one instance more, or one less.
 */
export class Instances {
  readonly #service: string;
  #isRegistered = false;
  #ring = buildRing<RingMember>([]);

  constructor(
    work: string,
    private readonly membership: Pick<Membership, "register" | "heartbeat" | "leave" | "list">,
    /** Of this one. */
    readonly id: string,
  ) {
    this.#service = ownService(work);
  }

  /**
   * Says that this one lives, and looks which others do. Returns whether the others may have taken over what is this one's: it
   * is new, or had expired. Throws `no_quorum`.
   */
  async meet(): Promise<boolean> {
    const service = this.#service;
    if (this.#isRegistered)
      await this.membership.heartbeat({ service, id: this.id }).catch(() => this.#forget());
    const isNew = !this.#isRegistered;
    if (isNew) await this.membership.register(service, this.id, TTL_MS, NOTHING);
    this.#isRegistered = true;
    const members = await this.membership.list(service);
    const ids = members.map(({ id }) => id);
    if (ids.join() !== this.#ring.members.map(({ id }) => id).join())
      this.#ring = buildRing(ids.map((id) => ({ id, weight: 1 })));
    return isNew;
  }

  isLive(id: string): boolean {
    return this.#ring.members.some((member) => member.id === id);
  }

  /** The instances that a piece of work belongs to: as many as it takes, if there are. */
  of(work: string, count: number): readonly string[] {
    return this.#ring.replicas(work, count).map(({ id }) => id);
  }

  /** Whether a piece of work that one instance does is this one's. */
  isOwn(work: string): boolean {
    return this.of(work, 1)[0] === this.id;
  }

  /** The others need not wait until this one has expired. */
  async leave(): Promise<void> {
    if (this.#isRegistered) await this.membership.leave(this.#service, this.id);
  }

  #forget(): void {
    this.#isRegistered = false;
  }
}

/** Looks again and again at what is whose, until the signal aborts. Without a majority all go on as they are. */
export async function inRounds(
  round: () => Promise<void>,
  intervalMs: number,
  clock: Pick<Clock, "sleep">,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await round().catch(() => {});
    await clock.sleep(intervalMs, signal).catch(() => {});
  }
}

const TTL_MS = 5_000;
const NOTHING = { address: "", weight: 1, zone: null, tags: [], metadata: null };
