import type { Clock } from "../../clock.js";
import type { Namespace } from "../../namespace.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { Keys } from "../../scripts/keys.js";
import { countMembers, SERVICES_AT_ONCE_MAX } from "../../scripts/member-calls.js";
import { SharedReads } from "../reads/shared-reads.js";
import type { MemberReads } from "./member-reads.js";

export interface ServicePage {
  readonly services: readonly { readonly service: string; readonly members: number }[];
  /** The last name that was examined; null: there are no more. */
  readonly cursor: string | null;
}

/** The services that have members, a page at a time, by their names. */
export class ServicePages {
  readonly #names: SharedReads<string[]>;
  readonly #pages: SharedReads<ServicePage>;

  constructor(
    private readonly reads: MemberReads,
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    clock: Pick<Clock, "soon">,
  ) {
    this.#names = new SharedReads(clock, 1);
    this.#pages = new SharedReads(clock, PAGES_AT_ONCE_MAX);
  }

  /**
   * Those of the namespace after `cursor`. Examines `limit` names at most: a page may be empty though another follows. All
   * requests for one page at the same time share its reads. Throws `no_quorum`.
   */
  page(namespace: Namespace, cursor: string | null, limit: number): Promise<ServicePage> {
    const key = `${namespace.name} ${limit} ${cursor ?? ""}`;
    return this.#pages.read(key, () => this.#read(namespace, cursor, limit));
  }

  async #read(namespace: Namespace, cursor: string | null, limit: number): Promise<ServicePage> {
    const all = await this.#names.read("", () => this.reads.services());
    const names = all.filter((name) => namespace.has(name));
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
   * The median of the counts: a primary that missed a write counts less, or more. Of two different counts the higher one,
   * since a member that one primary has lost is still a member, and one that left disappears by itself.
   */
  async #count(services: readonly string[]): Promise<number[]> {
    const counts = await this.primaries.askAll(countMembers(this.keys, services));
    return services.map((_, index) => {
      const sorted = counts.map((count) => count[index] ?? 0).sort((a, b) => a - b);
      return sorted[Math.floor(sorted.length / 2)] ?? 0;
    });
  }
}

const PAGES_AT_ONCE_MAX = 4;
