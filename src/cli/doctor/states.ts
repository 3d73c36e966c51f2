import { inWords } from "../duration.js";
import type { Primary } from "../types.js";
import { on, redisCli } from "./cures.js";
import { type Finding, see } from "./finding.js";
import type { Seen } from "./seen.js";

type State = Exclude<Primary["state"], "up">;

/** Why a primary does not take part in everything, as the instance that sees the worst tells it. */
export function findingOfState({ address, views }: Seen): Finding[] {
  const wrong = views.filter(({ primary }) => primary.state !== "up");
  const worst = wrong.toSorted((one, other) => rank(one.primary) - rank(other.primary))[0];
  if (worst === undefined) return [];
  const { state, forMs, reason } = worst.primary;
  const isSeenByAll = wrong.length === views.length;
  const seenBy = isSeenByAll
    ? ""
    : `, as ${wrong.map(({ url }) => url).join(", ")} sees it, and others do not`;
  return [
    {
      id: state,
      weight: WEIGHT[state as State],
      subject: address,
      what: `${state} for ${inWords(forMs)}${seenBy}${reason === null ? "" : `: ${reason}`}`,
      why: isSeenByAll
        ? WHY[state as State]
        : "it is cut off from some instances: these have one primary less than the others",
      see: see("reading-v1primaries"),
      cure: cureOf(address, worst.primary),
    },
  ];
}

const WORST_FIRST: readonly string[] = [
  ...["misconfigured", "wrong_role", "down", "refusing", "readmitting", "quarantined"],
];
const rank = ({ state }: Primary) => WORST_FIRST.indexOf(state);

const WEIGHT: Readonly<Record<State, Finding["weight"]>> = {
  down: "serious",
  wrong_role: "serious",
  misconfigured: "serious",
  refusing: "serious",
  readmitting: "minor",
  quarantined: "minor",
};

const ONE_LESS =
  "the others serve everything while they are a majority, and the next failure may be one too many";
const WHY: Readonly<Record<State, string>> = {
  down: ONE_LESS,
  wrong_role: ONE_LESS,
  misconfigured: ONE_LESS,
  refusing: `it grants and registers nothing; ${ONE_LESS}`,
  readmitting: "it is given what it may have forgotten; until then it has no vote",
  quarantined: "it may have forgotten leases, and grants no new one until these have ended",
};

function cureOf(address: string, { state, reason, quarantineMs, server }: Primary): string {
  const config = (...setting: readonly string[]) => redisCli(address, "config", "set", ...setting);
  switch (state) {
    case "quarantined":
      return `sleep ${Math.ceil(quarantineMs / 1_000)}; quorate doctor`;
    case "readmitting":
      return "sleep 10; quorate doctor";
    case "wrong_role":
      return redisCli(address, "replicaof", "no", "one");
    case "refusing":
      if (/OOM/.test(reason ?? ""))
        return config("maxmemory", String(2 * (server?.memory.maxBytes ?? GB / 2)));
      if (/NOREPLICAS/.test(reason ?? "")) return config("min-replicas-to-write", "0");
      return `${redisCli(address, "info", "persistence")}   # and free the disk of its machine`;
    case "misconfigured":
      if (/maxmemory-policy/.test(reason ?? "")) return config("maxmemory-policy", "noeviction");
      return `${on(address, "systemctl restart redis-server")}, or the instance, once the reason is gone`;
    default:
      return on(address, "systemctl start redis-server");
  }
}

const GB = 1024 ** 3;
