import { buildRing, type RingMember } from "../algorithms/ring.js";
import { REPORTERS_NEEDED } from "../algorithms/suspicion.js";
import { ownService } from "../namespace.js";
import type { Membership } from "../primitives/members/membership.js";

/**
 * The instances that probe, as each of them knows them: they are members of a service of their own. A view that is old for a
 * moment does no harm: then a member is probed by one instance more, or one less.
 */
export class Instances {
  #isRegistered = false;
  #ring = buildRing<RingMember>([]);

  constructor(
    private readonly membership: Pick<Membership, "register" | "heartbeat" | "leave" | "list">,
    /** Of this one. */
    readonly id: string,
  ) {}

  /** Says that this one lives, and looks which others do. Throws `no_quorum`. */
  async meet(): Promise<void> {
    if (this.#isRegistered) await this.membership.heartbeat(INSTANCES, this.id).catch(() => this.#forget());
    if (!this.#isRegistered) await this.membership.register(INSTANCES, this.id, TTL_MS, NOTHING);
    this.#isRegistered = true;
    const members = await this.membership.list(INSTANCES);
    const ids = members.map(({ id }) => id);
    if (ids.join() !== this.#ring.members.map(({ id }) => id).join())
      this.#ring = buildRing(ids.map((id) => ({ id, weight: 1 })));
  }

  /** The instances that take turns with a member: as many as it takes to make it suspect, if there are. */
  takingTurns(member: string): readonly string[] {
    return this.#ring.replicas(member, REPORTERS_NEEDED).map(({ id }) => id);
  }

  /** The others need not wait until this one has expired. */
  async leave(): Promise<void> {
    if (this.#isRegistered) await this.membership.leave(INSTANCES, this.id);
  }

  #forget(): void {
    this.#isRegistered = false;
  }
}

const INSTANCES = ownService("instances");
const TTL_MS = 5_000;
const NOTHING = { address: "", weight: 1, zone: null, tags: [], metadata: null };
