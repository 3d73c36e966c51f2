/**
 * Which primaries make up the deployment, and in which incarnation each of them takes part. The configuration is agreed
 * on by ballots, stored on every primary and compared by every script (docs/architecture.md, "Primaries that forget").
 */
export interface Configuration {
  /**
   * Version of what instances do to primaries and store there. An instance of a later version raises it, by a change of the
   * configuration; one of an earlier version takes no part.
   */
  readonly protocol: number;
  /** Generated at the first start; distinguishes this deployment from every other. */
  readonly deployment: string;
  /** Incremented by each change. */
  readonly version: number;
  /** Distinguishes two configurations of the same version: a majority that lost its data may assign a version twice. */
  readonly nonce: string;
  /** At least the wall clock at the last cold start, in microseconds: no counter starts below it. */
  readonly floor: number;
  /**
   * After a cold start: how long no lease is granted, ms; `marks`: until the times of the stored lease high-water
   * marks. Null: the change left a majority as it was.
   */
  readonly coldQuarantine: number | "marks" | null;
  readonly primaries: readonly Entry[];
}

/**
 * The protocol of this version of Quorate. 2: statuses, changes and events of members, members that expire without a leader, and
 * registers, all of which an instance of protocol 1 would lose.
 */
export const PROTOCOL = 2;

/** One primary in a configuration. */
export interface Entry {
  /** Never changes. */
  readonly id: string;
  readonly address: string;
  /** Redis' `run_id`: changes with every restart. */
  readonly runId: string;
  /** Redis' `master_replid`: changes when the primary was a replica for a while, and when it gets a replica. */
  readonly replid: string;
  /** The version since which it takes part in this incarnation: older data must be copied to it. */
  readonly admitted: number;
}

/** One primary as observed. */
export interface Observation {
  readonly address: string;
  readonly runId: string;
  readonly replid: string;
  /** Whether it got its `replid` when it stopped being a replica. It also gets one with its first own replica. */
  readonly promoted: boolean;
  readonly stored: Stored | null;
  /** Whether it knows until when the leases that it voted for may last. */
  readonly hasLeaseHighWaterMark: boolean;
}

/** The part of the configuration that a primary stores. */
export interface Stored {
  readonly configuration: Configuration;
  readonly id: string;
  /** `copying`: it has the configuration, but its data are incomplete: only the scripts of the copy run there. */
  readonly stage: "copying" | "member";
}

/** What to do with one primary. */
export type Step =
  /** It takes part. */
  | "member"
  /** It missed a change but lost nothing: give it the current configuration. */
  | "catch_up"
  /** It has the current configuration: copy the missing data to it. */
  | "copy"
  /** It lost its data, or may have: the configuration has to change before anything else. */
  | "readmit"
  /** It was not observed. */
  | "absent"
  /** It is empty, and its address is not in the configuration. */
  | "foreign"
  /** It belongs to another deployment. */
  | "other_deployment";

export type Judgement =
  /** A majority is intact in `current`. */
  | { readonly kind: "current"; readonly current: Configuration; readonly steps: readonly Step[] }
  /** All were observed, and no majority is intact: the configuration after `latest` must be a cold start. */
  | { readonly kind: "cold"; readonly latest: Configuration | null }
  /** All have `latest`, a cold start that is not finished. */
  | { readonly kind: "finish_cold"; readonly latest: Configuration }
  /** The cold start `latest` was agreed on, but some primaries do not have it yet. */
  | { readonly kind: "spread_cold"; readonly latest: Configuration }
  /** Too few were observed to decide anything. */
  | { readonly kind: "wait" }
  /** An instance of a later version has raised the protocol. */
  | { readonly kind: "outdated"; readonly reason: string }
  /** The primaries do not belong to one deployment. */
  | { readonly kind: "refuse"; readonly reason: string };

/**
 * Judges the observations. `observations` has one entry for each primary that this instance was given; null: not
 * observed. `known`: the latest protocol that this instance knows.
 */
export function judge(
  observations: readonly (Observation | null)[],
  majority: number,
  known = PROTOCOL,
): Judgement {
  const absent = observations.filter((observation) => observation === null).length;
  const all = observations.flatMap((observation) => observation?.stored?.configuration ?? []);
  const stored = ofOneDeployment(all, majority);
  if (!stored) {
    // Primaries that are not observed yet may show which deployment it is.
    const mayShow = ofOneDeployment(all, majority - absent) !== null;
    return mayShow ? { kind: "wait" } : { kind: "refuse", reason: DIFFERENT_DEPLOYMENTS };
  }
  const later = stored.find(({ protocol }) => protocol > known);
  if (later) return { kind: "outdated", reason: outdatedBy(later, known) };
  const mistake = mistakeIn(stored, observations.length);
  if (mistake) return { kind: "refuse", reason: mistake };

  const latest = stored.reduce<Configuration | null>(
    (best, one) => (best && best.version >= one.version ? best : one),
    null,
  );
  // The highest version on any primary was agreed on; an older one must not be revived beside it.
  if (latest) {
    const steps = stepsIn(latest, observations);
    const intact = steps.filter((step) => step === "member" || step === "catch_up").length;
    if (intact >= majority) return { kind: "current", current: latest, steps };
    const reason = intact + absent < majority ? strangerAmong(steps) : null;
    if (reason) return { kind: "refuse", reason };
  }
  if (absent > 0) return { kind: "wait" };
  if (!latest || !isUnfinishedColdStart(latest, observations, majority)) return { kind: "cold", latest };
  const spread = observations.every((one) => has(one, latest));
  return { kind: spread ? "finish_cold" : "spread_cold", latest };
}

/**
 * The configurations that count: of the deployment that a majority stores, else of the only one; null: there are
 * several.
 */
function ofOneDeployment(all: readonly Configuration[], majority: number): readonly Configuration[] | null {
  const like = ({ deployment }: Configuration) => all.filter((one) => one.deployment === deployment);
  // A single primary of another deployment must not stop a majority that belongs together.
  const ours = all.find((one) => like(one).length >= majority) ?? all[0];
  if (!ours) return all;
  const stored = like(ours);
  return stored.length >= majority || stored.length === all.length ? stored : null;
}

/** Why primaries that can no longer form a majority must not begin a cold start. */
function strangerAmong(steps: readonly Step[]): string | null {
  if (steps.includes("foreign"))
    return "a primary is empty and its address is not in the stored configuration";
  return steps.includes("other_deployment") ? DIFFERENT_DEPLOYMENTS : null;
}

/** Until any primary takes part, one that lost its data after the cold start was agreed on equals one that had none. */
function isUnfinishedColdStart(
  latest: Configuration,
  observations: readonly (Observation | null)[],
  majority: number,
): boolean {
  if (latest.coldQuarantine === null || !observations.every((one) => isAsIn(latest, one))) return false;
  return !observations.some((one) => isMember(one, latest)) || votersIn(latest, observations) < majority;
}

/** The `coldQuarantine` of the cold start after `latest`, unless it is the first start. */
export function quarantineAfter(
  latest: Configuration | null,
  observations: readonly Observation[],
  majority: number,
  ttlMaxMs: number,
): number | "marks" {
  // Every lease has the vote of at least one primary that has a mark.
  if (observations.filter(({ hasLeaseHighWaterMark }) => !hasLeaseHighWaterMark).length < majority)
    return "marks";
  // The last cold start was interrupted: the wait that it required is required now, and no more.
  const interrupted = typeof latest?.coldQuarantine === "number" && votersIn(latest, observations) < majority;
  return interrupted ? latest.coldQuarantine : ttlMaxMs;
}

/**
 * The entry of a primary: by its run id, else by its address, else (for an instance that uses other names for the
 * servers) by the id that it stores. The stored id does not come first: a former replica of another primary has that
 * primary's id.
 */
export function entryOf(configuration: Configuration, observation: Observation): Entry | undefined {
  const { primaries } = configuration;
  return (
    primaries.find(({ runId }) => runId === observation.runId) ??
    primaries.find(({ address }) => address === observation.address) ??
    primaries.find(({ id }) => id === observation.stored?.id)
  );
}

/** The entry of a primary in a cold start. It keeps its id from the previous configuration. */
export function newEntry(
  one: Observation,
  latest: Configuration | null,
  version: number,
  newId: string,
): Entry {
  const { address, runId, replid } = one;
  const id = (latest ? entryOf(latest, one)?.id : undefined) ?? newId;
  return { id, address, runId, replid, admitted: version };
}

/** The value that scripts compare: it identifies this configuration, and which of its primaries this is. */
export function configurationEpochOf(
  configuration: Configuration,
  id: string,
  stage: Stored["stage"],
): string {
  const { version, nonce } = configuration;
  return stage === "member" ? `${version}:${nonce}:${id}` : `copying:${version}:${nonce}:${id}`;
}

/** What the configuration epochs of all members of one configuration begin with, and of no other. */
export function configurationOf(configurationEpoch: string): string {
  return configurationEpoch.slice(0, configurationEpoch.lastIndexOf(":"));
}

function stepsIn(current: Configuration, observations: readonly (Observation | null)[]): Step[] {
  return observations.map((observation) => {
    if (!observation) return "absent";
    const { stored } = observation;
    if (stored && stored.configuration.deployment !== current.deployment) return "other_deployment";
    const entry = entryOf(current, observation);
    if (!entry) return "foreign";
    if (stored?.id !== entry.id || !isAsIn(current, observation)) return "readmit";
    if (has(observation, current)) return stored.stage === "member" ? "member" : "copy";
    const missed = stored.configuration.version < current.version && stored.stage === "member";
    return missed && stored.configuration.version >= entry.admitted ? "catch_up" : "readmit";
  });
}

/** Whether the primary is in exactly the incarnation that the configuration names. */
function isAsIn(configuration: Configuration, observation: Observation | null): boolean {
  if (!observation) return false;
  const { runId, replid, promoted } = observation;
  const entry = entryOf(configuration, observation);
  return entry?.runId === runId && (entry.replid === replid || !promoted);
}

/** Whether the primary stores this configuration. */
function has(observation: Observation | null, configuration: Configuration): boolean {
  const theirs = observation?.stored?.configuration;
  return theirs?.version === configuration.version && theirs.nonce === configuration.nonce;
}

function isMember(observation: Observation | null, configuration: Configuration): boolean {
  return has(observation, configuration) && observation?.stored?.stage === "member";
}

/** How many may have voted in a configuration: primaries that take part, and primaries that may have forgotten doing so. */
function votersIn(configuration: Configuration, observations: readonly (Observation | null)[]): number {
  return observations.filter(
    (one) => !one?.stored || !isAsIn(configuration, one) || isMember(one, configuration),
  ).length;
}

function outdatedBy({ protocol }: Configuration, known: number): string {
  return `the stored configuration has protocol ${protocol}, this version of Quorate knows ${known}`;
}

function mistakeIn(configurations: readonly Configuration[], primaries: number): string | null {
  for (const { primaries: entries } of configurations) {
    if (entries.length !== primaries) {
      const stored = entries.map(({ address }) => address).join(", ");
      return `the stored configuration has ${entries.length} primaries (${stored}), REDIS_URLS names ${primaries}`;
    }
  }
  return null;
}

const DIFFERENT_DEPLOYMENTS = "the primaries belong to different deployments";
