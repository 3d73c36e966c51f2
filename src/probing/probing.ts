import { Places } from "../algorithms/places.js";
import { REPORTERS_NEEDED } from "../algorithms/suspicion.js";
import type { Clock, Random } from "../clock.js";
import { CoordinationError } from "../errors.js";
import { AllowList } from "../outbound/allow-list.js";
import { Instances, inRounds } from "../primitives/instances.js";
import type { Member, ProbeTerms } from "../primitives/members/member.js";
import type { Membership } from "../primitives/members/membership.js";
import type { Primaries } from "../quorum/primaries.js";
import { scanOn } from "../quorum/scan.js";
import type { Keys } from "../scripts/keys.js";
import { noteProbed } from "../scripts/report-calls.js";
import { MemberProbe } from "./member-probe.js";
import { type ProbeOutcome, type ProbeResult, probe } from "./probe.js";
import { type ProbeTarget, readTarget } from "./probe-target.js";

export interface ProbingDependencies {
  readonly membership: Membership;
  readonly primaries: Primaries;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer?: ProbingObserver | undefined;
  /** Makes a probe, if not over the network. */
  readonly look?: Look;
}

export type Look = (target: ProbeTarget, timeoutMs: number) => Promise<ProbeResult>;

export interface ProbingObserver {
  probed(kind: ProbeTarget["kind"], outcome: ProbeOutcome): void;
}

/** Probes the members that ask for it, in turn with the other instances. Where nothing is allowed it does nothing at all. */
export class Probing {
  readonly #allow: AllowList;
  readonly #instances: Instances;
  readonly #look: Look;
  readonly #probes = new Map<string, MemberProbe>();
  readonly #places = new Places(UNDER_WAY_MAX);
  readonly #notedMs = new Map<string, number>();
  readonly #stopping = new AbortController();

  /** `allow`: as `QUORATE_PROBE_ALLOW` has it. `id`: of this instance. */
  constructor(
    allow: readonly string[],
    id: string,
    private readonly dependencies: ProbingDependencies,
  ) {
    this.#allow = new AllowList(allow);
    const { clock } = dependencies;
    this.#look = dependencies.look ?? ((target, timeoutMs) => probe(target, timeoutMs, this.#allow, clock));
    this.#instances = new Instances("instances", dependencies.membership, id);
  }

  /** How many members this instance probes. */
  get members(): number {
    return this.#probes.size;
  }

  /** Throws `invalid_request` where the target is none, or not allowed. */
  check({ http, tcp }: ProbeTerms): void {
    const kind = http === undefined ? "tcp" : "http";
    const target = readTarget(kind, http ?? tcp ?? "");
    const field = `probe.${kind}`;
    if (!target) throw refusal(field, kind === "http" ? NO_URL : NO_TARGET);
    if (!this.#allow.hasHost(target.host)) throw refusal(field, `${target.host} ${NOT_ALLOWED}`);
  }

  start(): void {
    if (this.#allow.isEmpty) return;
    const { clock } = this.dependencies;
    void inRounds(() => this.#round(), ROUND_MS, clock, this.#stopping.signal);
  }

  stop(): void {
    this.#stopping.abort();
    for (const one of this.#probes.values()) one.stop();
    this.#probes.clear();
    this.#instances.leave().catch(() => {});
  }

  /** Finds the members that are this instance's to probe, begins with those that are new, and stops with the others. */
  async #round(): Promise<void> {
    const { membership, primaries, keys } = this.dependencies;
    await this.#instances.meet();
    const sets = await primaries.askMajority((primary) => scanOn(primary, keys.probed));
    const wanted = new Set<string>();
    for (const service of new Set(sets.flat())) {
      const members = (await membership.list(service)).filter((member) => member.probe !== undefined);
      if (members.length > 0) await this.#note(service);
      for (const member of members) {
        const turns = this.#instances.of(`${service}/${member.id}`, REPORTERS_NEEDED);
        if (!turns.includes(this.#instances.id) || wanted.size >= MEMBERS_MAX) continue;
        const key = `${service}/${member.id}/${member.incarnation}/${JSON.stringify(member.probe)}`;
        wanted.add(key);
        this.#begin(key, service, member, turns.length);
      }
    }
    for (const [key, one] of this.#probes) if (!wanted.has(key)) this.#end(key, one);
  }

  #begin(key: string, service: string, member: Member, instances: number): void {
    const { http, tcp, intervalMs, timeoutMs } = member.probe as ProbeTerms;
    const { id, incarnation, ttlMs } = member;
    const probed = { service, id, incarnation, ttlMs, intervalMs, instances };
    const known = this.#probes.get(key);
    if (known) {
      known.probed = probed;
      return;
    }
    // What was allowed at another instance, or under earlier settings, need not be allowed here.
    const target = readTarget(http === undefined ? "tcp" : "http", http ?? tcp ?? "");
    if (!target || !this.#allow.hasHost(target.host) || this.#stopping.signal.aborted) return;
    const { clock, random, membership, observer } = this.dependencies;
    const one = new MemberProbe(probed, {
      clock,
      random,
      look: () => this.#places.run(() => this.#look(target, timeoutMs)),
      report: (accusation) =>
        membership.suspicions.reportByProbe(service, probed, {
          ...accusation,
          reporter: `~${this.#instances.id}`,
        }),
      seen: (outcome) => observer?.probed(target.kind, outcome),
    });
    this.#probes.set(key, one);
    void one.run();
  }

  #end(key: string, one: MemberProbe): void {
    one.stop();
    this.#probes.delete(key);
  }

  /** A service is forgotten unless somebody looks: also when each of the primaries has lost its data once. */
  async #note(service: string): Promise<void> {
    const { primaries, keys, clock } = this.dependencies;
    const nowMs = clock.monotonicMs();
    if (nowMs - (this.#notedMs.get(service) ?? Number.NEGATIVE_INFINITY) < NOTE_MS) return;
    await primaries.askMajority(noteProbed(keys, service));
    for (const [one, notedMs] of this.#notedMs) if (nowMs - notedMs >= NOTE_MS) this.#notedMs.delete(one);
    this.#notedMs.set(service, nowMs);
  }
}

function refusal(field: string, detail: string): CoordinationError {
  return new CoordinationError("invalid_request", `${field}: ${detail}`, {
    help: { field, errors: [{ field, detail }] },
  });
}

const NO_URL = "must be a URL like http://10.0.0.7:9000/health, without a user and a fragment";
const NO_TARGET = "must be a host and a port, like 10.0.0.7:9000";
const NOT_ALLOWED =
  "is nothing that probes may connect to: an operator allows addresses and hosts in QUORATE_PROBE_ALLOW";

/** How often instances look at each other and at what there is to be probed. */
const ROUND_MS = 1_500;
/** A small part of the time for which it is known. */
const NOTE_MS = 300_000;
/** Probes of this instance at a time. */
const UNDER_WAY_MAX = 64;
/** Members that this instance probes: those beyond wait until others are gone. */
const MEMBERS_MAX = 10_000;
