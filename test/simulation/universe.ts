import { PROTOCOL } from "../../src/algorithms/configuration.js";
import type { MemberRecord } from "../../src/scripts/member-calls.js";
import type { Recorder } from "../history/recorder.js";
import { Instance } from "./instance.js";
import { Network } from "./network.js";
import type { Plan } from "./plan.js";
import { SimulatedPrimary, type Watch } from "./primary.js";
import { Chance } from "./random.js";
import type { LuaMachine } from "./redis/lua.js";
import type { Scheduler } from "./scheduler.js";
import type { Variant } from "./variant.js";

/** The primaries, the instances and the network of one run, and what can be done to them. */
export class Universe {
  readonly primaries: readonly SimulatedPrimary[];
  readonly network: Network;
  readonly instances: Instance[] = [];
  /** Whether a majority lost data together: then a lease that was released may be back, for as long as it may live. */
  majorityLost = false;
  /** Names that may be blocked by what a killed instance began, with the time to live of it. */
  readonly orphaned = new Map<string, number>();
  /** By how much clocks of primaries were set back, in all. */
  setBackMs = 0;
  readonly #touched = new Map<Instance, Map<string, number>>();
  readonly #frozenSince = new Map<Instance, number>();
  /** Primaries that lost data and did not get it back yet. */
  readonly #lost = new Map<SimulatedPrimary, "all" | "some">();
  readonly #chance: Chance;
  /** The protocol of instances that start, if not that of this version. */
  #protocol: number | undefined;
  #grants = 0;
  #values = 0;
  #weights = 1;

  constructor(
    private readonly plan: Plan,
    readonly scheduler: Scheduler,
    readonly recorder: Recorder,
    lua: LuaMachine,
    private readonly variant: Variant,
    private readonly log: (line: string) => void,
    watch: Watch | undefined,
  ) {
    this.#chance = new Chance(plan.seed, "universe");
    this.primaries = Array.from(
      { length: plan.primaries },
      (_, place) =>
        new SimulatedPrimary(
          place,
          `redis://10.0.0.${place + 1}`,
          scheduler,
          this.#chance.stream(`primary ${place}`),
          lua,
          variant.substitute,
          watch,
          (primary, sentMs) => this.#readsLate(primary, sentMs),
          plan.clocksDifferMs,
        ),
    );
    this.network = new Network(scheduler, this.#chance.stream("network"), plan.weather, this.primaries);
    if (plan.faults.some(({ kind }) => kind === "instances are upgraded")) this.#protocol = PROTOCOL - 1;
    for (let i = 0; i < plan.instances; i++) this.startInstance();
  }

  get majority(): number {
    return Math.floor(this.primaries.length / 2) + 1;
  }

  get alive(): Instance[] {
    return this.instances.filter(({ alive }) => alive);
  }

  /** For locks without tokens. */
  countGrant(): number {
    this.#grants += 1;
    return this.#grants;
  }

  /** For an election: one that nobody had before. */
  newValue(): string {
    this.#values += 1;
    return `v${this.#values}`;
  }

  /** For a member: one that none had before. */
  newWeight(): number {
    this.#weights += 1;
    return this.#weights;
  }

  /** Whether every instance has every primary. */
  get isUp(): boolean {
    return this.instances.every(({ core }) => core.primaries.all.every(({ up }) => up));
  }

  async untilUp(): Promise<void> {
    while (!this.isUp) await this.scheduler.sleep(5);
  }

  note(text: string): void {
    this.recorder.note(text);
  }

  startInstance(): void {
    const name = `i${this.instances.length + 1}`;
    if (this.instances.length >= this.plan.instances) this.note(`${name} starts`);
    const chance = this.#chance.stream(name);
    const { scheduler, network, primaries } = this;
    const settings = {
      ...this.plan.settings,
      ...(this.plan.removal && { goneForMs: this.plan.removal.goneForMs }),
      ...(this.#protocol && { protocol: this.#protocol }),
    };
    const instance = new Instance(
      name,
      scheduler,
      network,
      primaries,
      chance,
      settings,
      this.log,
      (service, record) => this.#expired(name, service, record),
    );
    this.variant.change?.(instance.core, instance);
    this.instances.push(instance);
    if (this.#mayBeginAsFirst) this.#promisesEnd(true, `all primaries forgot, and ${name} knows of nothing`);
  }

  /** Instances that start from now on are of this version, and not of the one before. */
  upgrade(): void {
    this.note("instances of the next version follow");
    this.#protocol = undefined;
  }

  /** What it did may be left half-done when it is killed. */
  touch(instance: Instance, name: string, ttlMs: number): void {
    const names = this.#touched.get(instance) ?? new Map<string, number>();
    names.set(name, Math.max(ttlMs, names.get(name) ?? 0));
    this.#touched.set(instance, names);
  }

  kill(instance: Instance): void {
    this.note(`${instance.name} is killed`);
    this.#endFreeze(instance);
    for (const [name, ttlMs] of this.#touched.get(instance) ?? []) this.orphan(name, ttlMs);
    instance.kill();
  }

  orphan(name: string, ttlMs: number): void {
    this.orphaned.set(name, Math.max(ttlMs, this.orphaned.get(name) ?? 0));
  }

  freeze(instance: Instance): void {
    this.note(`${instance.name} is frozen`);
    this.#frozenSince.set(instance, this.scheduler.nowMs());
    instance.freeze();
  }

  resume(instance: Instance): void {
    if (!instance.alive || !instance.frozen) return;
    this.#endFreeze(instance);
    instance.resume();
  }

  #endFreeze(instance: Instance): void {
    const atMs = this.#frozenSince.get(instance);
    this.#frozenSince.delete(instance);
    if (atMs === undefined) return;
    this.note(`${instance.name} goes on`);
    this.recorder.happened({
      kind: "paused",
      instance: instance.name,
      atMs,
      untilMs: this.scheduler.nowMs(),
    });
  }

  start(primary: SimulatedPrimary): void {
    primary.server.loading = false;
    if (!primary.alive) this.#forgets(primary);
    primary.start(this.variant.unnoticed);
  }

  clockJumps(primary: SimulatedPrimary, ms: number): void {
    primary.jump(ms);
    this.setBackMs += Math.max(0, -ms);
    const atMs = this.scheduler.nowMs();
    this.recorder.happened({
      kind: "clock_jump",
      atMs,
      doneMs: atMs,
      primary: primary.name,
      byMs: ms,
      membersUntilMs: Number.POSITIVE_INFINITY,
    });
  }

  wipe(primary: SimulatedPrimary): void {
    const { keyspace } = primary.server;
    const kept = this.variant.unnoticed ? keyspace.get(CONFIGURATION) : undefined;
    primary.execute("FLUSHALL", []);
    if (kept) keyspace.set(CONFIGURATION, kept);
    this.#loses(primary, "all");
  }

  cutTail(primary: SimulatedPrimary, writes: number): void {
    if (primary.server.keyspace.cutTail(writes) > 0) this.#loses(primary, "some");
  }

  copied(replica: SimulatedPrimary, master: SimulatedPrimary): void {
    replica.server.keyspace.copyFrom(master.server.keyspace);
    this.#loses(replica, "some");
  }

  #readsLate({ name }: SimulatedPrimary, sentMs: number): void {
    const untilMs = this.scheduler.nowMs();
    const text = `${name} reads what was sent ${(untilMs - sentMs).toFixed(1)} ms ago`;
    this.recorder.happened({ kind: "late_message", atMs: sentMs, untilMs, text });
  }

  /** What is promised ends where a majority lost data, and none of them got it back before the last one lost it. */
  #loses(primary: SimulatedPrimary, what: "all" | "some"): void {
    this.#forgets(primary);
    for (const one of this.#lost.keys()) if (one !== primary && isWhole(one)) this.#lost.delete(one);
    if (this.#lost.get(primary) !== "all") this.#lost.set(primary, what);
    if (this.#lost.size < this.majority) return;
    const empty = [...this.#lost.values()].filter((lost) => lost === "all").length;
    const names = [...this.#lost.keys()].map(({ name }) => name).join(", ");
    // Where a majority lost their high-water marks as well, the longest time to live is waited for.
    this.#promisesEnd(empty < this.majority || this.#mayBeginAsFirst, `${names} lost data together`);
  }

  #expired(instance: string, service: string, { id, incarnation, revision }: MemberRecord): void {
    const atMs = this.scheduler.nowMs();
    this.recorder.happened({ kind: "expired", atMs, instance, service, member: id, incarnation, revision });
  }

  #forgets({ name }: SimulatedPrimary): void {
    const text = `${name} has no leases from before`;
    this.recorder.happened({ kind: "forgot", atMs: this.scheduler.nowMs(), text });
  }

  #promisesEnd(leases: boolean, text: string): void {
    this.majorityLost = true;
    this.recorder.happened({ kind: "majority_lost", atMs: this.scheduler.nowMs(), leases, text });
  }

  /** No primary knows of anything, nor does every instance: for that one it is the first start, with nothing to wait for. */
  get #mayBeginAsFirst(): boolean {
    const forgot = (primary: SimulatedPrimary) => this.#lost.get(primary) === "all" && !isWhole(primary);
    return this.primaries.every(forgot) && this.alive.some(({ core }) => core.primaries.version === null);
  }

  /** Ends all faults. */
  heal(): void {
    this.note("all faults stop");
    this.network.calm = true;
    for (const { requests, replies } of this.network.links) {
      requests.open();
      replies.open();
    }
    for (const primary of this.primaries) {
      primary.resume();
      primary.server.replicaOf(null);
      this.start(primary);
    }
    for (const instance of this.instances) this.resume(instance);
    for (const instance of this.alive) if (instance.core.primaries.outdated) this.kill(instance);
    while (this.alive.length < 2) this.startInstance();
  }

  /** The primaries that hold a lock or an election, as `lock/{name}` or `election/{name}`. */
  holdersOf(resource: string): string[] {
    const hold = `q:hold/${resource}`;
    return this.primaries
      .filter(({ server: { keyspace } }) =>
        // The set of readers only tells where they are: one that ended by itself may still be in there.
        keyspace
          .keys()
          .some((key) => key === hold || (key.startsWith(`${hold}/`) && !key.endsWith("/readers"))),
      )
      .map((primary) => primary.name);
  }

  /** Time until a majority grant new leases again, as the primaries themselves say. */
  get quarantineMs(): number {
    const left = this.primaries.map((primary) => {
      const until = Number(fieldsOf(primary)?.get("quarantine_until") ?? 0);
      return Math.max(0, until - primary.clockMs);
    });
    return left.sort((a, b) => a - b)[this.majority - 1] ?? 0;
  }
}

/** Whether the configuration that it stores has it as it is, with all data. */
function isWhole(primary: SimulatedPrimary): boolean {
  const stored = fieldsOf(primary);
  const configuration = stored?.get("configuration");
  if (!primary.alive || stored?.get("stage") !== "member" || configuration === undefined) return false;
  const { primaries } = JSON.parse(configuration) as {
    primaries: { id: string; runId: string; replid: string }[];
  };
  const own = primaries.find(({ id }) => id === stored.get("id"));
  return own?.runId === primary.server.runId && own.replid === primary.server.replid;
}

function fieldsOf(primary: SimulatedPrimary): ReadonlyMap<string, string> | undefined {
  const value = primary.server.keyspace.get(CONFIGURATION);
  return value?.type === "hash" ? value.fields : undefined;
}

const CONFIGURATION = "q:configuration";
