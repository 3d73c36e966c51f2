import type { Answer } from "../typed-examples.js";
import type * as schemas from "./schemas.js";

const count = { count: 3 };
export const puts = { put: { value: count } };

const latch: Answer<typeof schemas.LatchSchema> = { name: "migrated", count: 3, remaining: 3 };
export const set = { set: { value: latch } };
export const latches = {
  closed: { value: { ...latch, remaining: 1 } },
  open: { summary: "It is open", value: { ...latch, remaining: 0 } },
};

export const deletions = {
  deleted: { summary: "It was there", value: { deleted: true } },
  absent: { summary: "There was none", value: { deleted: false } },
};
