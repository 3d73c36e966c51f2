import type { Configuration, Observation, Stored } from "../algorithms/configuration.js";

/** The result of one probe of a server. */
export interface ServerObservation extends Observation {
  /** The configuration epoch that scripts must be sent with; `""` if none is stored: the server then refuses every script. */
  readonly configurationEpoch: string;
  /** No counter starts below this. */
  readonly floor: number;
  /** Remaining time in which it grants no new lease, ms. */
  readonly quarantineMs: number;
  /** Whether it keeps its data in an append-only file. */
  readonly persistent: boolean;
}

/** Why a server cannot be a primary, and what to do. */
export interface Refusal {
  readonly state: "wrong_role" | "misconfigured";
  readonly reason: string;
}

/** Reads the replies to INFO, HGETALL of the configuration, and TIME. */
export function readObservation(
  address: string,
  info: ReadonlyMap<string, string>,
  stored: readonly string[],
  time: readonly string[],
): ServerObservation {
  const own = new Map<string, string>();
  for (let i = 0; i + 1 < stored.length; i += 2) own.set(stored[i] as string, stored[i + 1] as string);
  const nowMs = Number(time[0]) * 1000 + Math.floor(Number(time[1]) / 1000);
  return {
    address,
    // The JavaScript fallback has no `run_id`; its address identifies it.
    runId: info.get("run_id") ?? address,
    replid: info.get("master_replid") ?? "",
    promoted: /[^0]/.test(info.get("master_replid2") ?? ""),
    stored: readStored(own),
    hasLeaseHighWaterMark: own.has("leases_until"),
    configurationEpoch: own.get("stamp") ?? "",
    floor: Number(own.get("floor") ?? 0),
    quarantineMs: Math.max(0, Number(own.get("quarantine_until") ?? 0) - nowMs),
    persistent: info.get("aof_enabled") === "1",
  };
}

function readStored(own: ReadonlyMap<string, string>): Stored | null {
  const text = own.get("configuration");
  const id = own.get("id");
  if (text === undefined || id === undefined) return null;
  return {
    configuration: JSON.parse(text) as Configuration,
    id,
    stage: own.get("stage") === "member" ? "member" : "copying",
  };
}

/** The fields of INFO. */
export function parseInfo(info: string): ReadonlyMap<string, string> {
  return new Map(
    info.split("\r\n").flatMap((line) => {
      const colon = line.indexOf(":");
      return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)] as const] : [];
    }),
  );
}

/** Null when the server can be a primary. The embedded JavaScript fallback has no `run_id`. */
export function refusalOf(info: ReadonlyMap<string, string>, embedded: boolean): Refusal | null {
  const version = info.get("redis_version");
  if (!version || (!info.has("run_id") && !embedded)) {
    return misconfigured("this server does not answer INFO as Redis does: name a Redis or Valkey server");
  }
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < 6 || (major === 6 && minor < 2)) {
    return misconfigured(`Redis ${version} is too old: 6.2 is the oldest that works`);
  }
  if (info.get("cluster_enabled") === "1") {
    return misconfigured("cluster mode is on: primaries must be independent servers (cluster-enabled no)");
  }
  if (info.get("role") !== "master") {
    const master = `${info.get("master_host")}:${info.get("master_port")}`;
    return {
      state: "wrong_role",
      reason: `it is a replica of ${master}: primaries must be independent of each other (REPLICAOF NO ONE)`,
    };
  }
  const policy = info.get("maxmemory_policy") ?? "noeviction";
  if (Number(info.get("maxmemory") ?? 0) > 0 && policy !== "noeviction") {
    return misconfigured(
      `maxmemory-policy is ${policy}: an evicted key is a lost lock (CONFIG SET maxmemory-policy noeviction)`,
    );
  }
  return null;
}

function misconfigured(reason: string): Refusal {
  return { state: "misconfigured", reason };
}
