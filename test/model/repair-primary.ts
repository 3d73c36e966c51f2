/** What a primary does with a hold, in the model of renewing with repair. */
import { end, GAVE_UP, REFUSED } from "./attempt.js";
import type { Voting } from "./messages.js";
import { lift, type Mode } from "./parity.js";
import { type Primary, type RepairOptions, type RepairWorld, UNDER_WAY } from "./repair-world.js";
import { at } from "./world.js";

export class Rules {
  readonly voting: Voting<RepairWorld>;
  /** By client. */
  readonly modes: readonly Mode[];

  constructor(readonly options: RepairOptions) {
    const [mine, others] = options.modes;
    this.modes = options.second === "none" ? [mine, others] : [mine, mine, others];
    this.voting = {
      rule: (client) => (this.modes[client] === "reader" ? "shared" : "exactly"),
      replies: "at once",
      acquire: (primary, client, world) => this.#acquire(primary, client, world),
      raise: (primary, client, target, world) => this.#raise(primary, client, target, world),
    };
  }

  /** A lease goes by the number of its first request. */
  readonly leaseOf = (client: number): number => (client === 1 && this.modes.length === 3 ? 0 : client);

  requestsOf(lease: number): number[] {
    return this.modes.flatMap((_, i) => (this.leaseOf(i) === lease ? [i] : []));
  }

  /** In which an operation may begin. */
  knownConfigurations(world: RepairWorld): readonly number[] {
    return world.primaries.some(({ configuration }) => configuration === 2) ? [1, 2] : [1];
  }

  matches(primary: Primary, configuration: number): boolean {
    return this.options.variant === "no fence"
      ? primary.configuration !== 0
      : primary.configuration === configuration;
  }

  #blocked(primary: Primary, lease: number): boolean {
    return primary.links.some(
      ({ noted }, i) =>
        noted > 0 && i !== lease && (this.modes[i] === "writer" || this.modes[lease] === "writer"),
    );
  }

  #acquire(primary: Primary, client: number, world: RepairWorld): number {
    const lease = this.leaseOf(client);
    const hold = at(primary.links, lease);
    if (!this.matches(primary, at(world.clients, client).configuration)) return REFUSED;
    if (hold.buried) return REFUSED;
    if (hold.noted === 0) {
      if (this.#blocked(primary, lease) || primary.quarantine) return REFUSED;
      const mode = at(this.modes, client);
      primary.counter = lift(primary.counter + (mode === "writer" ? 1 : 0), mode);
      hold.noted = hold.granted = primary.counter;
    }
    at(primary.links, client).nonce = 1;
    hold.extendedAt = this.nowOf(world, lease);
    return hold.noted;
  }

  #raise(primary: Primary, client: number, target: number, world: RepairWorld): number {
    const hold = at(primary.links, this.leaseOf(client));
    if (!this.matches(primary, at(world.clients, client).configuration)) return REFUSED;
    if (hold.noted === 0 || !at(primary.links, client).nonce) return REFUSED;
    primary.counter = lift(Math.max(primary.counter, target), at(this.modes, client));
    hold.noted = primary.counter;
    return hold.noted;
  }

  renew(primary: Primary, client: number, world: RepairWorld): "extended" | "missing" | "refused" {
    const { variant } = this.options;
    const lease = this.leaseOf(client);
    const hold = at(primary.links, lease);
    const { token, renewingIn } = at(world.clients, client);
    if (!this.matches(primary, renewingIn) || hold.buried) return "refused";
    if (hold.noted > 0) {
      if (hold.granted > token && variant !== "renewed whatever was granted since") return "refused";
      hold.extendedAt = this.nowOf(world, lease);
      if (variant !== "a renewal leaves no nonce") hold.kept = 1;
      return "extended";
    }
    if (variant === "a repair is a vote") return this.repair(primary, client, world) ? "extended" : "refused";
    return this.#mayRepair(primary, client, world) ? "missing" : "refused";
  }

  #mayRepair(primary: Primary, client: number, world: RepairWorld): boolean {
    const { variant } = this.options;
    const lease = this.leaseOf(client);
    const { noted, buried } = at(primary.links, lease);
    if (noted > 0 || buried || primary.configuration === 0 || this.#blocked(primary, lease)) return false;
    return primary.counter <= at(world.clients, client).token || variant === "repaired whoever had it since";
  }

  /** In whatever configuration the primary is by then: the condition on the counter does not need the fence. */
  repair(primary: Primary, client: number, world: RepairWorld): boolean {
    const { variant } = this.options;
    const lease = this.leaseOf(client);
    const hold = at(primary.links, lease);
    const { token } = at(world.clients, client);
    if (!this.#mayRepair(primary, client, world)) return false;
    primary.counter = Math.max(primary.counter, token);
    hold.noted = hold.granted = primary.counter;
    if (variant === "repaired whoever had it since") hold.granted = token;
    hold.extendedAt = this.nowOf(world, lease);
    return true;
  }

  free(primary: Primary, lease: number): void {
    const hold = at(primary.links, lease);
    hold.noted = hold.granted = hold.extendedAt = hold.kept = 0;
    for (const i of this.requestsOf(lease)) at(primary.links, i).nonce = 0;
  }

  /** The requests whose nonces are in the hold. */
  nonces(primary: Primary, lease: number): number[] {
    return this.requestsOf(lease).filter((i) => at(primary.links, i).nonce);
  }

  nowOf(world: RepairWorld, lease: number): number {
    return this.options.clocks === "right" ? at(world.clients, lease).begun : 0;
  }

  /** Frees the hold when no other request is left in it and no renewal has counted it. */
  cleanUp(primary: Primary, client: number): void {
    const lease = this.leaseOf(client);
    const link = at(primary.links, client);
    link.cleanUp = link.nonce = 0;
    if (!at(primary.links, lease).kept && this.nonces(primary, lease).length === 0) this.free(primary, lease);
  }

  release(primary: Primary, client: number): void {
    const { variant, second } = this.options;
    const lease = this.leaseOf(client);
    const hold = at(primary.links, lease);
    if (hold.noted === 0) {
      if (variant !== "a release leaves nothing where it finds nothing") hold.buried = 1;
      return;
    }
    if (at(this.modes, client) === "reader") {
      if (variant !== "a reader's release leaves no tombstone") hold.buried = 1;
    } else {
      // An id that its caller chose, as one in two requests is, leaves a tombstone in any case.
      const isEarly =
        this.nonces(primary, lease).length === 0 && variant !== "a release trusts a repaired hold";
      if (isEarly || second !== "none") hold.buried = 1;
      if (variant !== "a release leaves the counter")
        primary.counter = Math.max(primary.counter, hold.noted) + 1;
    }
    this.free(primary, lease);
  }

  /** Ends the leases that the operator saw. */
  break(primary: Primary, world: RepairWorld): void {
    const { variant } = this.options;
    primary.links.forEach((hold, lease) => {
      if (this.leaseOf(lease) !== lease) return;
      const isMeant = (world.shared.broken & (1 << lease)) > 0;
      if (!isMeant && variant !== "a break ends whoever holds") return;
      if (hold.noted > 0) {
        const { spared, token } = at(world.clients, lease);
        if (spared && token > 0) world.shared.mistaken = 1;
        hold.buried = 1;
        primary.counter++;
        this.free(primary, lease);
      } else if (isMeant && variant !== "a break leaves nothing where it finds nothing") hold.buried = 1;
    });
  }

  giveUp(world: RepairWorld, client: number): void {
    end(world, client, GAVE_UP);
    if (this.options.second === "none") return;
    for (const { links } of world.primaries) at(links, client).cleanUp = UNDER_WAY;
  }
}
