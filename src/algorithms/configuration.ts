/**
 * Which primaries make up the deployment, and in which incarnation each of them takes part. Agreed by ballots, stored
 * on every primary, compared by every script. See docs/architecture.md.
 */
export interface Configuration {
  /** Of the scripts and this very format: an instance that knows another one refuses to take part. */
  readonly protocol: 1;
  /** Made at the first start; tells this deployment from every other. */
  readonly deployment: string;
  /** Raised by each change. */
  readonly version: number;
  /** Tells two configurations of one version apart: a majority that forgot may give a version twice. */
  readonly nonce: string;
  /** At least the wall clock in microseconds when all began anew: no counter starts below. */
  readonly floor: number;
  /**
   * For a cold start: how long nobody grants a lease, ms; `marks`: until the stored high-water marks. Null: a change
   * that left a majority as it was.
   */
  readonly coldQuarantine: number | "marks" | null;
  readonly primaries: readonly Entry[];
}

/** One primary in a configuration. */
export interface Entry {
  /** Its own, for good. */
  readonly id: string;
  readonly address: string;
  /** Redis' `run_id`: changes with every restart. */
  readonly runId: string;
  /** Redis' `master_replid`: changes when it was a replica for a while, and when it gets one. */
  readonly replid: string;
  /** Version since which it takes part in this incarnation: data from before must be copied to it. */
  readonly admitted: number;
}

/** What one primary was seen to be. */
export interface Observation {
  readonly address: string;
  readonly runId: string;
  readonly replid: string;
  /** Whether it has its `replid` from the end of a time as a replica. One comes with its first own replica, too. */
  readonly promoted: boolean;
  readonly stored: Stored | null;
  /** Whether it knows until when the leases that it voted for may live. */
  readonly hasLeaseHighWaterMark: boolean;
}

/** What a primary stores of the configuration. */
export interface Stored {
  readonly configuration: Configuration;
  readonly id: string;
  /** `copying`: it got the configuration, but its data are not complete: no script but the copy's own runs there. */
  readonly stage: "copying" | "member";
}

/** What is to be done with one primary. */
export type Step =
  /** It takes part. */
  | "member"
  /** It missed a change and lost nothing: give it the current configuration. */
  | "catch_up"
  /** It has the current configuration: copy to it what it lacks. */
  | "copy"
  /** It forgot, or may have: the configuration has to change before anything else. */
  | "readmit"
  /** It is not seen. */
  | "absent"
  /** It is empty, and its address is not in the configuration. */
  | "foreign"
  /** It belongs to another deployment. */
  | "theirs";

export type Judgement =
  /** A majority are intact in `current`. */
  | { readonly kind: "current"; readonly current: Configuration; readonly steps: readonly Step[] }
  /** All are seen, and no majority is intact: the configuration after `latest` must begin anew. */
  | { readonly kind: "cold"; readonly latest: Configuration | null }
  /** All have `latest`, a cold start, but it is not finished. */
  | { readonly kind: "finish_cold"; readonly latest: Configuration }
  /** `latest`, a cold start, was agreed; some have not got it yet. */
  | { readonly kind: "spread_cold"; readonly latest: Configuration }
  /** Too few are seen to decide anything. */
  | { readonly kind: "wait" }
  /** The primaries are not those of one deployment. */
  | { readonly kind: "refuse"; readonly reason: string };

/** Judges what was seen. `sightings` has a place for each primary that this instance was given; null: not seen. */
export function judge(observations: readonly (Observation | null)[], majority: number): Judgement {
  const absent = observations.filter((observation) => observation === null).length;
  const all = observations.flatMap((observation) => observation?.stored?.configuration ?? []);
  const sizeOf = ({ deployment }: Configuration) => all.filter((one) => one.deployment === deployment).length;
  // One stranger must not stop a majority that know each other. Who is not seen yet may tell which one it is.
  const ours = all.find((one) => sizeOf(one) >= majority);
  const stored = ours ? all.filter(({ deployment }) => deployment === ours.deployment) : all;
  if (stored.some(({ deployment }) => deployment !== stored[0]?.deployment)) {
    const mayTell = Math.max(...all.map(sizeOf)) + absent >= majority;
    return mayTell ? { kind: "wait" } : { kind: "refuse", reason: DIFFERENT_DEPLOYMENTS };
  }
  const mistake = mistakeIn(stored, observations.length);
  if (mistake) return { kind: "refuse", reason: mistake };

  const latest = stored.reduce<Configuration | null>(
    (best, one) => (best && best.version >= one.version ? best : one),
    null,
  );
  // The highest one that any primary has was agreed on; an older one must not be revived beside it.
  if (latest) {
    const steps = stepsIn(latest, observations);
    const intact = steps.filter((step) => step === "member" || step === "catch_up").length;
    if (intact >= majority) return { kind: "current", current: latest, steps };
    if (intact + absent < majority && steps.includes("foreign")) {
      return {
        kind: "refuse",
        reason: "a primary is empty and its address is not in the stored configuration",
      };
    }
    if (intact + absent < majority && steps.includes("theirs"))
      return { kind: "refuse", reason: DIFFERENT_DEPLOYMENTS };
  }
  if (absent > 0) return { kind: "wait" };
  // Until somebody takes part, one that lost its data since a cold start was agreed is as one that had none.
  const begun =
    latest !== null &&
    latest.coldQuarantine !== null &&
    observations.every((one) => isAsIn(latest, one)) &&
    (!observations.some((one) => isMember(one, latest)) || votersIn(latest, observations) < majority);
  if (begun)
    return { kind: observations.every((one) => has(one, latest)) ? "finish_cold" : "spread_cold", latest };
  return { kind: "cold", latest };
}

/** `coldQuarantine` of a cold start after `latest`, where this is not the first start. */
export function quarantineAfter(
  latest: Configuration | null,
  observations: readonly Observation[],
  majority: number,
  ttlMaxMs: number,
): number | "marks" {
  // Every lease was voted for by one of those that know.
  if (observations.filter(({ hasLeaseHighWaterMark }) => !hasLeaseHighWaterMark).length < majority)
    return "marks";
  // A cold start that was interrupted: what had to be waited for then has to be waited for now, and no more.
  const interrupted = typeof latest?.coldQuarantine === "number" && votersIn(latest, observations) < majority;
  return interrupted ? latest.coldQuarantine : ttlMaxMs;
}

/**
 * The entry of a primary: by its run, else by its address, else (an instance that has other names for the servers) by
 * the id that it stores. Not by that id first: who was a replica of another primary has that one's.
 */
export function entryOf(configuration: Configuration, observation: Observation): Entry | undefined {
  const { primaries } = configuration;
  return (
    primaries.find(({ runId }) => runId === observation.runId) ??
    primaries.find(({ address }) => address === observation.address) ??
    primaries.find(({ id }) => id === observation.stored?.id)
  );
}

/** Of a primary in a cold start, which keeps the id that it had in the configuration before. */
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

/** What scripts compare: this configuration, and which primary of it. */
export function configurationEpochOf(
  configuration: Configuration,
  id: string,
  stage: Stored["stage"],
): string {
  const { version, nonce } = configuration;
  return stage === "member" ? `${version}:${nonce}:${id}` : `copying:${version}:${nonce}:${id}`;
}

function stepsIn(current: Configuration, observations: readonly (Observation | null)[]): Step[] {
  return observations.map((observation) => {
    if (!observation) return "absent";
    const { stored } = observation;
    if (stored && stored.configuration.deployment !== current.deployment) return "theirs";
    const entry = entryOf(current, observation);
    if (!entry) return "foreign";
    if (stored?.id !== entry.id || !isAsIn(current, observation)) return "readmit";
    if (has(observation, current)) return stored.stage === "member" ? "member" : "copy";
    const missed = stored.configuration.version < current.version && stored.stage === "member";
    return missed && stored.configuration.version >= entry.admitted ? "catch_up" : "readmit";
  });
}

/** Whether the primary is in the very incarnation that the configuration knows. */
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

/** How many may have voted in a configuration: those that take part, and those that may have forgotten that they did. */
function votersIn(configuration: Configuration, observations: readonly (Observation | null)[]): number {
  return observations.filter(
    (one) => !one?.stored || !isAsIn(configuration, one) || isMember(one, configuration),
  ).length;
}

function mistakeIn(configurations: readonly Configuration[], primaries: number): string | null {
  for (const { protocol, primaries: entries } of configurations) {
    if (protocol !== 1)
      return `the stored configuration has protocol ${protocol}, this version of Quorate knows 1`;
    if (entries.length !== primaries) {
      const stored = entries.map(({ address }) => address).join(", ");
      return `the stored configuration has ${entries.length} primaries (${stored}), REDIS_URLS names ${primaries}`;
    }
  }
  return null;
}

const DIFFERENT_DEPLOYMENTS = "the primaries belong to different deployments";
