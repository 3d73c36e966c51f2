import type { ServerEvent } from "./server-events.js";
import type { Member } from "./types.js";

/** A member as its watchers see it. */
export type WatchedMember = Pick<
  Member,
  "id" | "incarnation" | "revision" | "status" | "address" | "weight" | "zone" | "tags" | "metadata"
>;

/** What happened to a member. */
export interface MemberEvent {
  /** `left` and `expired`: it is none any more. */
  readonly event: "joined" | "updated" | "suspect" | "draining" | "left" | "expired";
  /** As it is from then on; as it was last, where it is gone. */
  readonly member: WatchedMember;
  /** In words, for people; empty: not known. */
  readonly why: string;
}

/** The members of a service at one time, in the order of their ids. */
export interface WatchedMembers {
  readonly members: readonly WatchedMember[];
  /** Names what the owners of keys depend on. */
  readonly ringId: string;
  /**
   * What happened since the list before. Empty in the first list, in one that was read anew, because it is not known any more what
   * happened, and where `fetch` cannot read streams.
   */
  readonly events: readonly MemberEvent[];
}

/** What the events of a service tell. */
interface Told {
  /** Made of what happened; service, member, incarnation, revision, kind, and for a suspicion more. */
  readonly id?: string;
  readonly member?: WatchedMember;
  readonly why?: string;
  readonly ringId?: string;
  /** All who are suspect. */
  readonly suspects?: readonly string[];
}

/** The members of a service, as the events of their service tell of them. */
export class MemberState {
  #members = new Map<string, WatchedMember>();
  /** A snapshot that is not complete yet. */
  #fresh = new Map<string, WatchedMember>();
  #ringId = "";
  /** The latest events: after a return, some come twice. */
  readonly #seen = new Set<string>();
  #events: MemberEvent[] = [];
  #isOther = false;

  constructor(
    private readonly matches: (member: WatchedMember) => boolean,
    /** Whether all members match: then another ring is another list. */
    private readonly isAll: boolean,
  ) {}

  /** A stream begins: what the last one did not complete is void. */
  begin(): void {
    this.#fresh = new Map();
  }

  /** The list after these events; null: it is no other than before. */
  after(all: readonly ServerEvent[]): WatchedMembers | null {
    for (const event of all) this.#apply(event);
    if (!this.#isOther) return null;
    const members = [...this.#members.values()].filter(this.matches);
    members.sort((one, other) => (one.id < other.id ? -1 : 1));
    const events = this.#events;
    this.#events = [];
    this.#isOther = false;
    return { members, ringId: this.#ringId, events };
  }

  #apply({ type, data }: ServerEvent): void {
    const { id = "", member, why = "", ringId = this.#ringId, suspects } = data as Told;
    if (ringId !== this.#ringId) this.#isOther ||= this.isAll;
    this.#ringId = ringId;
    if (type === "reset") this.begin();
    else if (type === "member" && member) this.#fresh.set(member.id, member);
    else if (type === "synced") {
      this.#members = this.#fresh;
      this.#events = [];
      this.#isOther = true;
      this.begin();
    } else if (suspects) this.#judge(new Set(suspects));
    else if (member && this.#isNew(id)) this.#happened(type as MemberEvent["event"], member, why);
  }

  #isNew(id: string): boolean {
    // Suspicion may come and go more than once within a revision. It is not told again after a return.
    if (id.split("/").length > 5) return true;
    if (this.#seen.has(id)) return false;
    this.#seen.add(id);
    for (const oldest of this.#seen) {
      if (this.#seen.size <= SEEN_MAX) break;
      this.#seen.delete(oldest);
    }
    return true;
  }

  #happened(event: MemberEvent["event"], told: WatchedMember, why: string): void {
    const { id } = told;
    const before = this.#members.get(id);
    const isGone = event === "left" || event === "expired";
    // Nobody has heard of it.
    if (isGone && !before) return;
    if (isGone) this.#members.delete(id);
    else this.#members.set(id, told);
    const member = isGone ? (before as WatchedMember) : told;
    if (!this.matches(member) && !(before && this.matches(before))) return;
    this.#events.push({ event, member, why });
    this.#isOther = true;
  }

  /** Suspicion has no place in the stream: what was missed of it is not told again. */
  #judge(suspects: ReadonlySet<string>): void {
    for (const member of this.#members.values()) {
      const { id, status } = member;
      if (status === "up" && suspects.has(id))
        this.#happened("suspect", { ...member, status: "suspect" }, "");
      else if (status === "suspect" && !suspects.has(id))
        this.#happened("updated", { ...member, status: "up" }, "");
    }
  }
}

/** A service keeps no more. */
const SEEN_MAX = 1_000;
