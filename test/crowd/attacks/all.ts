import type { Attack } from "../attack.js";
import { idleConnections, slowBodies, slowHeaders } from "./connections.js";
import { oneId, watchers } from "./elections.js";
import { expired } from "./expired.js";
import { gone } from "./gone.js";
import { breaking, lockList, queueReads, several } from "./locks.js";
import { manyServices, members, weights } from "./members.js";
import { overload } from "./overload.js";
import { longKeys, owners, services, wideOwners } from "./owners.js";
import { pace } from "./pace.js";
import { permitLine, permitReads, permits } from "./permits.js";
import { readers } from "./readers.js";
import { readmission } from "./readmission.js";
import { restart } from "./restart.js";
import { line, writers } from "./writers.js";

export const ATTACKS: readonly Attack[] = [
  readers,
  writers,
  line,
  members,
  owners,
  wideOwners,
  longKeys,
  services,
  expired,
  overload,
  gone,
  permits,
  permitLine,
  permitReads,
  weights,
  manyServices,
  slowBodies,
  slowHeaders,
  idleConnections,
  restart,
  several,
  queueReads,
  breaking,
  lockList,
  watchers,
  oneId,
  readmission,
  pace,
];

/** Throws where there is none of that name. */
export function attackOf(name: string): Attack {
  const found = ATTACKS.find((attack) => attack.name === name);
  if (!found) throw new Error(`no attack is called ${name}`);
  return found;
}
