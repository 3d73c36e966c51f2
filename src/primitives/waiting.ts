import { type ClockReading, earliestMs } from "../algorithms/validity.js";
import type { Clock } from "../clock.js";
import { shuttingDown } from "../errors.js";
import type { Ids } from "../ids.js";
import type { Keys } from "../redis/keys.js";
import type { Claim } from "../redis/lease-calls.js";
import { keepWaiting, type Left, leaveLine, takeTicket } from "../redis/line-calls.js";
import { type Answers, allAnswered, answerOf, type Primaries, values } from "../redis/primaries.js";
import type { Wake, Wakes } from "../redis/wakes.js";
import { Line } from "./line.js";
import { type Granted, Place, POLL_MS, type Room, STRAGGLER_MS } from "./place.js";

/**
 * Those who wait at this instance. The lines themselves are on the primaries; here everybody sleeps until a primary
 * says that it is their turn, or that it has granted them what they want; or the holder's time is over; or a second has
 * passed for who is first.
 */
export class WaitingRoom implements Room {
  readonly #lines = new Map<string, Line>();
  readonly #byLease = new Map<string, Set<Place>>();
  /** The clock of each primary, as it was read last. */
  readonly #clocks: (ClockReading | undefined)[] = [];
  #asking = 0;
  readonly #toAsk: (() => void)[] = [];
  #stopped = false;
  #ticking = false;

  constructor(
    private readonly primaries: Primaries,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly wakes: Wakes,
    private readonly ids: Ids,
    /** Names this instance in the lines. */
    readonly instance: string,
  ) {}

  /** Takes a ticket, behind all who wait already. Throws `no_quorum` and `shutting_down`. */
  async enter(claim: Claim): Promise<Place> {
    this.#assertOpen();
    const askedMs = this.clock.monotonicMs();
    const answers = await this.primaries.ask(takeTicket(this.keys, claim));
    this.#assertOpen();
    this.#readClocks(askedMs, answers);
    const proposals = values(answers);
    if (proposals.length < this.majority) throw this.primaries.noQuorum();
    const taken = proposals.filter((proposal) => proposal.taken);
    const ticket = Math.max(...(taken.length > 0 ? taken : proposals).map((proposal) => proposal.ticket));
    const place = new Place(claim, ticket, this.ids.nonce(), this);
    for (const line of claim.lines) this.#line(line).add(place);
    add(this.#byLease, claim.leaseId, place);
    this.wakes.listen(
      (primary, wake) => this.#hear(primary, wake),
      () => this.#nudgeFirst(),
    );
    if (!this.#ticking) void this.#tick();
    return place;
  }

  /**
   * Gives the place up. `granted`: for good, and nobody can follow yet. `keepMs`: it is kept for a client that may come
   * back. What the primaries knew of it; one that does not hear it now is told later.
   */
  async leave(
    place: Place,
    { granted, keepMs }: { granted: Granted | null; keepMs: number },
  ): Promise<Answers<Left>> {
    const { claim } = place;
    for (const name of claim.lines) {
      const line = this.#line(name);
      line.remove(place);
      if (granted && claim.mode === "shared") line.readerGranted(place);
      if (line.size === 0) this.#lines.delete(name);
    }
    remove(this.#byLease, claim.leaseId, place);
    // The same lease may be waited for by two requests, one a repetition of the other.
    const same = this.#byLease.get(claim.leaseId);
    const leaving = (back: "all" | "none" | number) =>
      leaveLine(this.keys, claim, place.nonce, {
        back,
        keepMs: same && !granted ? POLL_MS : keepMs,
        // One release may have been enough for several permits.
        wake: claim.limit !== null,
      });
    const call = leaving(granted ? "none" : "all");
    for (const other of same ?? []) other.nudge();
    // Who was granted is told so first: nobody waits for its place.
    if (granted) await new Promise<void>((resolve) => this.clock.soon(resolve));
    return Promise.all(
      this.primaries.all.map(async (primary, at) => {
        // An attempt may be sent once more, as text, and would stand in line again.
        await place.answered(at);
        const answer = await answerOf(primary, call);
        // By then it may have been handed on behind the release of what others had granted: nobody would release it again.
        const late = granted === "asked" ? leaving(place.offered) : call;
        if (!answer.ok) primary.owe(`leave/${claim.leaseId}/${place.nonce}`, late);
        return answer;
      }),
    );
  }

  /** Runs one more attempt of a request that waits, in its turn: a crowd that was woken must not ask all at once. */
  async ask<T>(attempt: () => Promise<T>): Promise<T> {
    if (this.#asking >= ASKING_MAX) await new Promise<void>((resolve) => this.#toAsk.push(resolve));
    else this.#asking += 1;
    try {
      return await attempt();
    } finally {
      const next = this.#toAsk.shift();
      if (next) next();
      else this.#asking -= 1;
    }
  }

  /** Whether anybody here waits for any of what is wanted. */
  isWaitedFor({ lines }: Claim): boolean {
    return lines.some((line) => this.#lines.has(line));
  }

  /** Its attempt was refused, and it waits from now on. */
  refused({ claim }: Place): void {
    if (claim.mode === "shared") for (const line of claim.lines) this.#lines.get(line)?.readerRefused();
  }

  /** Whether nobody at this instance stands before it: then it is the one that asks again and again. */
  isFirst(place: Place): boolean {
    return place.claim.lines.every(
      (line) => (this.#lines.get(line)?.first?.ticket ?? place.ticket) >= place.ticket,
    );
  }

  /** How many requests wait here. */
  get size(): number {
    let size = 0;
    for (const places of this.#byLease.values()) size += places.size;
    return size;
  }

  get majority(): number {
    return this.primaries.majority;
  }

  after(ms: number, task: () => void): () => void {
    return this.clock.after(ms, task);
  }

  monotonicMs(): number {
    return this.clock.monotonicMs();
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Everybody here is sent away. */
  stop(): void {
    this.#stopped = true;
    for (const places of this.#byLease.values()) for (const place of places) place.nudge();
  }

  #assertOpen(): void {
    if (this.#stopped) throw shuttingDown();
  }

  #line(name: string): Line {
    let line = this.#lines.get(name);
    if (!line) {
      line = new Line();
      this.#lines.set(name, line);
    }
    return line;
  }

  #hear(primary: number, wake: Wake): void {
    if (wake.kind === "readers") this.#hearOfReaders(primary, wake);
    else this.#hearOfLease(primary, wake);
  }

  /** As with one that is called by its leaseId, those who hurry to the other primaries would be there before the release. */
  #hearOfReaders(primary: number, { lineKey, before }: Extract<Wake, { kind: "readers" }>): void {
    const line = this.#lines.get(this.keys.resourceOf(lineKey));
    const callers = line?.called(primary);
    if (callers === this.majority) line?.letReadersIn(before);
    else if (callers === 1) this.clock.after(STRAGGLER_MS, () => line?.letReadersIn(before));
  }

  #hearOfLease(primary: number, { leaseId, handed }: Extract<Wake, { kind: "lease" }>): void {
    const places = [...(this.#byLease.get(leaseId) ?? [])];
    if (!handed) {
      for (const place of places) place.called(primary);
      return;
    }
    const place = places.find(({ nonce }) => nonce === handed.nonce);
    const clock = this.#clocks[primary];
    const sinceMs = clock ? earliestMs(clock, handed.serverMicros) : Number.POSITIVE_INFINITY;
    // What one says for another, as its replica does, is no vote; and a clock that has jumped tells nothing about when.
    // Then it has to ask, which finds the hold and extends it.
    const isVote = handed.stamp === this.primaries.all[primary]?.stamp;
    if (!isVote || sinceMs > this.clock.monotonicMs()) place?.called(primary);
    else place?.handed(primary, handed, sinceMs);
  }

  /** As long as somebody waits: says that this instance lives, and looks after the first ones. */
  async #tick(): Promise<void> {
    this.#ticking = true;
    for (let tick = 1; this.#byLease.size > 0 && !this.#stopped; tick++) {
      await this.clock.sleep(TICK_MS);
      if (this.#byLease.size === 0) break;
      const first = tick % TICKS_PER_POLL === 0 ? this.#first() : [];
      const asking = first.filter(({ handedOn }) => handedOn);
      // At least one call: that this instance lives is said even where nobody is looked after.
      for (let at = 0; at === 0 || at < asking.length; at += LOOKS)
        void this.#look(asking.slice(at, at + LOOKS));
      // What these wait for a primary cannot tell in a word.
      for (const place of first) if (!place.handedOn) place.nudge();
    }
    this.#ticking = false;
  }

  /** Lets those ask again of whom a majority say that it is worth it, or that it will be before the next look. */
  async #look(places: readonly Place[]): Promise<void> {
    const waiting = places.map(({ claim: { leaseId, resources } }) => ({
      leaseId,
      resource: resources[0] as string,
    }));
    const call = keepWaiting(this.keys, this.instance, ALIVE_MS, waiting);
    const askedMs = this.clock.monotonicMs();
    const answers = await this.primaries.ask(call, allAnswered);
    this.#readClocks(askedMs, answers);
    const seen = values(answers);
    places.forEach((place, at) => {
      const endsInMs = seen.map((one) => one.endsInMs[at] as number).sort((one, other) => one - other);
      // Where a majority say nothing it finds out that there is no quorum.
      const majorityMs = endsInMs[this.majority - 1] ?? 0;
      if (majorityMs <= 0) {
        if (this.isFirst(place)) place.nudge();
      } else if (majorityMs < POLL_MS) place.nudgeIn(majorityMs + 1);
    });
  }

  #readClocks(askedMs: number, answers: Answers<{ readonly serverMicros: number }>): void {
    answers.forEach((answer, primary) => {
      if (answer?.ok) this.#clocks[primary] = { askedMs, serverMicros: answer.value.serverMicros };
    });
  }

  #nudgeFirst(): void {
    for (const place of this.#first()) place.nudge();
  }

  /** Those before whom nobody here stands in any of their lines. */
  #first(): Place[] {
    const first = new Set<Place>();
    for (const line of this.#lines.values()) if (line.first) first.add(line.first);
    return [...first].filter((place) => place.claim.lines.length === 1 || this.isFirst(place));
  }
}

function add<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const values = map.get(key);
  if (values) values.add(value);
  else map.set(key, new Set([value]));
}

function remove<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const values = map.get(key);
  values?.delete(value);
  if (values?.size === 0) map.delete(key);
}

/** With these, a place whose instance died is given up, and the next one let in, within two seconds. */
const TICKS_PER_POLL = 2;
const TICK_MS = POLL_MS / TICKS_PER_POLL;
/** Places of an instance that was not heard of for so long are given up. As in leases.lua. */
const ALIVE_MS = 1_200;
/** Lines that a primary looks at in one script: some tenths of a millisecond. */
const LOOKS = 100;
/**
 * Attempts of requests that wait, at a time. 5,000 readers that may all enter would else ask at once, and fill the primaries
 * for longer than the command timeout.
 */
const ASKING_MAX = 128;
