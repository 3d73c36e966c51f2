import { murmur3 } from "./murmur3.js";
import { type Points, type PointsOfMember, pointAtOrAfter, sortedPoints } from "./ring-points.js";
import { type FirstMeetings, indexFirstMeetings, Walk } from "./ring-walk.js";
import { atOnce, type Steps } from "./steps.js";

/** An eligible member as lookups need it. */
export interface RingEntry extends PointsOfMember {
  /** `-` for no zone, otherwise any text: equal means the same zone. */
  readonly zoneCode: string;
}

/**
 * Data for lookups in the ring of these entries, which are sorted by the bytes of their ids. Each layer is built when first
 * needed: the points, and an index for more than one zone or member. The client computes owners with it as well, so it
 * needs nothing but JavaScript.
 */
export class RingLookup {
  readonly #zones: Zones;
  #points: Points | undefined;
  #byZone: FirstMeetings | undefined;
  #byMember: FirstMeetings | undefined;

  constructor(private readonly entries: readonly RingEntry[]) {
    this.#zones = zoneNumbers(entries);
  }

  isPrepared(count: number): boolean {
    if (count < 1) return true;
    if (!this.#points) return false;
    return (
      (count < 2 || this.#byZone !== undefined) && (!this.#needsOthers(count) || this.#byMember !== undefined)
    );
  }

  *prepare(count: number): Steps<void> {
    if (count < 1) return;
    this.#points ??= yield* sortedPoints(this.entries);
    const { members } = this.#points;
    const { ofMember, count: zoneCount } = this.#zones;
    if (count > 1) this.#byZone ??= yield* indexFirstMeetings(members, ofMember, zoneCount);
    if (!this.#needsOthers(count)) return;
    this.#byMember ??= yield* indexFirstMeetings(members, Uint32Array.from(ofMember.keys()), ofMember.length);
  }

  /** Index of the member that owns the key; there is one. */
  owner(key: string): number {
    const points = this.#points ?? this.#prepared(1).points;
    return points.members[pointAtOrAfter(points, murmur3(key))] as number;
  }

  /** The first `count` member indices in order of preference; there are at least `count` members. */
  preferred(key: string, count: number): number[] {
    if (count === 1) return [this.owner(key)];
    const { points, byZone, byMember } = this.#prepared(count);
    const start = pointAtOrAfter(points, murmur3(key));
    const answer: number[] = [];
    const newZones = new Walk(byZone as FirstMeetings, start);
    for (let left = Math.min(count, this.#zones.count); left > 0; left--) {
      answer.push(points.members[newZones.next()] as number);
    }
    if (answer.length === count) return answer;
    const newMembers = new Walk(byMember as FirstMeetings, start);
    while (answer.length < count) {
      const point = newMembers.next();
      if (!newMembers.isFirst(point, byZone as FirstMeetings)) answer.push(points.members[point] as number);
    }
    return answer;
  }

  #prepared(count: number) {
    if (!this.isPrepared(count)) atOnce(this.prepare(count));
    return { points: this.#points as Points, byZone: this.#byZone, byMember: this.#byMember };
  }

  /** Whether there are too few zones, so that some must come up again. */
  #needsOthers(count: number): boolean {
    return count > this.#zones.count;
  }
}

/** The zone of each member as a number, and the number of different zones. */
interface Zones {
  readonly ofMember: Uint32Array;
  readonly count: number;
}

function zoneNumbers(entries: readonly RingEntry[]): Zones {
  const ofMember = new Uint32Array(entries.length);
  const numbers = new Map<string, number>();
  let count = 0;
  entries.forEach(({ zoneCode }, index) => {
    const known = zoneCode === "-" ? undefined : numbers.get(zoneCode);
    if (known === undefined) numbers.set(zoneCode, count);
    ofMember[index] = known ?? count++;
  });
  return { ofMember, count };
}
