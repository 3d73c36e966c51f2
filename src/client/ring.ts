/// <reference lib="esnext.disposable" preserve="true" />
import { type RingEntry, RingLookup } from "../algorithms/ring-lookup.js";
import { pointsForWeight } from "../algorithms/ring-points.js";
import type { CallOptions, Transport } from "./transport.js";
import type { Member, Members } from "./types.js";
import { type Clock, sleep } from "./world.js";

export interface RingOptions extends CallOptions {
  /** How often the members are read again, ms; 2 s unless given. */
  readonly refreshMs?: number | undefined;
}

/** The members of a service at one time. */
interface View {
  readonly ringId: string;
  readonly members: readonly Member[];
  /** Those that can own a key, by id. */
  readonly eligible: readonly Member[];
  readonly lookup: RingLookup;
  /** When they were asked for, on the monotonic clock. */
  readonly readAtMs: number;
}

/**
 * Which member of a service owns a key, computed here by `ring-v1` from members that are read again and again: a look-up
 * sends nothing. Those who have the same `ringId` get the same owners.
 */
export class ServiceRing implements Disposable {
  readonly #closed = new AbortController();

  private constructor(
    private readonly transport: Transport,
    private readonly service: string,
    private view: View,
  ) {}

  /** Resolves once the members are known. */
  static async open(
    transport: Transport,
    service: string,
    { refreshMs = REFRESH_MS, timeoutMs, signal }: RingOptions,
  ): Promise<ServiceRing> {
    const ring = new ServiceRing(transport, service, await read(transport, service, { timeoutMs, signal }));
    void ring.#refresh(refreshMs);
    return ring;
  }

  /** Names what the owners depend on. */
  get ringId(): string {
    return this.view.ringId;
  }

  get members(): readonly Member[] {
    return this.view.members;
  }

  /** The age of what is known of the members, ms. It grows while no instance answers. */
  ageMs(): number {
    return this.transport.world.clock.monotonicMs() - this.view.readAtMs;
  }

  /** The member that owns the key; undefined: there is none. */
  owner(key: string): Member | undefined {
    return this.replicas(key, 1)[0];
  }

  /** The first `count` members for the key, the owner first, distinct zones first; fewer where there are not so many. */
  replicas(key: string, count: number): Member[] {
    const { eligible, lookup } = this.view;
    const found = Math.min(count, eligible.length);
    return found >= 1 ? lookup.preferred(key, found).map((place) => eligible[place] as Member) : [];
  }

  /** The members are not read any more. */
  close(): void {
    this.#closed.abort();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #refresh(refreshMs: number): Promise<void> {
    const { clock, random } = this.transport.world;
    const { signal } = this.#closed;
    while (!signal.aborted) {
      try {
        await sleep(clock, refreshMs * (0.8 + 0.4 * random()), signal);
        this.view = await read(this.transport, this.service, { signal }, this.view);
      } catch {
        // Closed, or nobody answers: `ageMs` tells.
      }
    }
  }
}

const REFRESH_MS = 2_000;

/** Reads all members. Where the ring changes between two pages, they are a mixture, and it begins again. */
async function read(
  transport: Transport,
  service: string,
  options: CallOptions,
  before?: View,
): Promise<View> {
  const limits = transport.limits(options);
  const page = (query: string) =>
    transport.send<Members>({
      method: "GET",
      path: `/services/${encodeURIComponent(service)}/members${query}`,
      answerHas: "members",
      ...limits,
    });
  for (;;) {
    const { body: first, sentAtMs } = await page("");
    const members = [...first.members];
    let { ringId, cursor } = first;
    while (cursor !== null && ringId === first.ringId) {
      const { body } = await page(`?cursor=${encodeURIComponent(cursor)}`);
      members.push(...body.members);
      ({ ringId, cursor } = body);
    }
    if (ringId !== first.ringId) continue;
    const eligible = members.filter(isEligible).sort(byId);
    const lookup =
      before?.ringId === ringId ? before.lookup : await prepared(eligible, transport.world.clock);
    return { ringId, members, eligible, lookup, readAtMs: sentAtMs };
  }
}

/** The rule of the service: members that drain, or have no weight, own nothing. */
const isEligible = ({ status, weight }: Member): boolean => status !== "draining" && weight > 0;

/** Ids are ASCII here: this is the order of their bytes. */
const byId = (one: Member, other: Member): number => (one.id < other.id ? -1 : 1);

/** Large rings take a while: other work goes on meanwhile. */
async function prepared(eligible: readonly Member[], clock: Clock): Promise<RingLookup> {
  const encoder = new TextEncoder();
  const entries = eligible.map(({ id, weight, zone }): RingEntry => {
    const zoneCode = zone === null ? "-" : `=${encoder.encode(zone)}`;
    return { idBytes: encoder.encode(id), pointCount: pointsForWeight(weight), zoneCode };
  });
  const lookup = new RingLookup(entries);
  let sinceMs = clock.monotonicMs();
  for (const _ of lookup.prepare(1)) {
    if (clock.monotonicMs() - sinceMs < SLICE_MS) continue;
    await sleep(clock, 0);
    sinceMs = clock.monotonicMs();
  }
  return lookup;
}

const SLICE_MS = 5;
