import type { Answer } from "../typed-examples.js";
import type * as schemas from "./schemas.js";

const first = { id: "worker-1", count: 3, ttlMs: 30_000, waitMs: 25_000 };
const generation = 1_795_222_235_123;

export const arrivals = {
  first: { summary: "Arrive, and wait for the others", value: first },
  again: { summary: "Wait on, or for the next generation", value: { ...first, generation } },
};

const released: Answer<typeof schemas.ArrivedSchema> = { generation, arrived: 3, released: true };
export const arrived = {
  released: { summary: "All have arrived", value: released },
  waiting: {
    summary: "Some are missing: send it again with this generation",
    value: { ...released, arrived: 2, released: false },
  },
};
