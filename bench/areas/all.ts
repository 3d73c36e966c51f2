import { access } from "./access.js";
import type { Area } from "./area.js";
import { client } from "./client.js";
import { connections } from "./connections.js";
import { five } from "./five.js";
import { fsync } from "./fsync.js";
import { garbage } from "./garbage.js";
import { handover } from "./handover.js";
import { locks } from "./locks.js";
import { many } from "./many.js";
import { heartbeats, owners, picks } from "./members.js";
import { open } from "./open.js";
import { registers } from "./registers.js";
import { start } from "./start.js";

/** In the order in which they are measured and shown. */
export const AREAS: readonly Area[] = [
  locks,
  open,
  fsync,
  five,
  handover,
  heartbeats,
  owners,
  picks,
  registers,
  access,
  client,
  connections,
  garbage,
  many,
  start,
];
