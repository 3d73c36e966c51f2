import type { Clock } from "../../clock.js";
import { allAnswered, type Primaries, values } from "../../quorum/primaries.js";
import type { Keys } from "../../scripts/keys.js";
import { countMembers, SERVICES_AT_ONCE_MAX } from "../../scripts/member-calls.js";
import { SharedReads } from "../reads/shared-reads.js";
import type { MemberReads } from "./member-reads.js";

export interface ServicePage {
  readonly services: readonly { readonly service: string; readonly members: number }[];
  /** The last name that was looked at; null: there are no more. */
  readonly cursor: string | null;
}

/** The services that have members, a page at a time, by their names. */
export class ServicePages {
  readonly #names: SharedReads<string[]>;

  constructor(
    private readonly reads: MemberReads,
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    clock: Pick<Clock, "soon">,
  ) {
    this.#names = new SharedReads(clock, 1);
  }

  /** Those after `cursor`. Looks at `limit` names at most: a page may be empty though another follows. */
  async page(cursor: string | null, limit: number): Promise<ServicePage> {
    const names = await this.#names.read("", () => this.reads.services());
    const after = cursor === null ? names : names.filter((name) => name > cursor);
    const looked = after.slice(0, limit);
    const services: { service: string; members: number }[] = [];
    for (let at = 0; at < looked.length; at += SERVICES_AT_ONCE_MAX) {
      const some = looked.slice(at, at + SERVICES_AT_ONCE_MAX);
      const counts = await this.#count(some);
      some.forEach((service, index) => {
        const members = counts[index] ?? 0;
        if (members > 0) services.push({ service, members });
      });
    }
    return { services, cursor: after.length > looked.length ? (looked.at(-1) ?? null) : null };
  }

  /**
   * What most primaries count: one that missed something counts less, or more. Of two that differ the higher, since a
   * member that one of them has lost is a member, and one that left is forgotten by itself.
   */
  async #count(services: readonly string[]): Promise<number[]> {
    const counts = values(await this.primaries.ask(countMembers(this.keys, services), allAnswered));
    if (counts.length < this.primaries.majority) throw this.primaries.noQuorum();
    return services.map((_, index) => {
      const sorted = counts.map((count) => count[index] ?? 0).sort((a, b) => a - b);
      return sorted[Math.floor(sorted.length / 2)] ?? 0;
    });
  }
}
