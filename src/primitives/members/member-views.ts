import type { Clock } from "../../clock.js";
import { BoundedCache } from "../reads/bounded-cache.js";
import type { Member } from "./member.js";

/** The live members of a service as one quorum read saw them. */
export interface MembersView {
  /** By their ids, in the order of these. */
  readonly members: ReadonlyMap<string, Member>;
  /** When the read began. */
  readonly readAtMs: number;
}

/**
 * Views of the members of services, for answers that may be a little old. A view is read when somebody asks, once for all
 * who ask meanwhile, and is dropped when it is too old to answer.
 */
export class MemberViews {
  readonly #views: BoundedCache<MembersView>;
  readonly #reads = new Map<string, Promise<MembersView>>();

  constructor(
    private readonly list: (service: string) => Promise<readonly Member[]>,
    private readonly clock: Clock,
    /** Age from which a view is read anew before it answers, ms. */
    private readonly ageMsMax: number,
    servicesMax = SERVICES_MAX,
  ) {
    const bounds = { countMax: servicesMax, sizeMax: MEMBERS_MAX, unusedMsMax: ageMsMax };
    this.#views = new BoundedCache(clock, bounds);
  }

  /** A view that was read at most `ageMsMax` ago; it may be empty. Throws `no_quorum`. */
  recent(service: string): Promise<MembersView> | MembersView {
    const view = this.#views.get(service);
    if (view && this.clock.monotonicMs() - view.readAtMs <= this.ageMsMax) return view;
    const reading = this.#reads.get(service);
    if (reading) return reading;
    const read = this.#read(service);
    this.#reads.set(service, read);
    const isCurrent = () => this.#reads.get(service) === read;
    read
      .then((fresh) => isCurrent() && this.#keep(service, fresh))
      .catch(() => {})
      .finally(() => isCurrent() && this.#reads.delete(service));
    return read;
  }

  /** After this instance has changed the members of a service: its next answer must show that. */
  forget(service: string): void {
    this.#views.delete(service);
    this.#reads.delete(service);
  }

  /** How many views are kept now, and how many members they have together. */
  get kept() {
    return { views: this.#views.count, members: this.#views.size };
  }

  async #read(service: string): Promise<MembersView> {
    const readAtMs = this.clock.monotonicMs();
    const members = await this.list(service);
    return { readAtMs, members: new Map(members.map((member) => [member.id, member])) };
  }

  /** Services without members are not kept: a request may name any service. */
  #keep(service: string, view: MembersView): void {
    if (view.members.size > 0) this.#views.set(service, view, view.members.size);
    else this.#views.delete(service);
  }
}

const SERVICES_MAX = 2_000;
/** Members of all views together: some KB each, and for no longer than a view may answer, a quarter of a second. */
const MEMBERS_MAX = 50_000;
