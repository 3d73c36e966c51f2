import type { Outcome } from "../../history/operation.js";
import type { Reply } from "../cluster/http.js";
import { type Asker, Requests } from "./asking.js";
import { failed } from "./lock-service.js";

/** Arrives at a barrier with others, waits on until all have, and goes to the next generation; or has enough of it, and comes back later. */
export async function meet(user: Asker, barrierOf: () => string): Promise<void> {
  const { chance, signal, id: member } = user;
  using requests = new Requests(user);
  while (!signal.aborted) {
    const barrier = barrierOf();
    const ttlMs = chance.pick([500, 1_000, 3_000]);
    let generation: number | undefined;
    for (let tries = 0; tries < TRIES_MAX && !signal.aborted; tries++) {
      const waitMs = chance.happens(0.7) ? chance.whole(50, 800) : 0;
      const named = generation === undefined ? {} : { generation };
      const body = { id: member, count: MEETS, ttlMs, waitMs, ...named };
      const sent = { method: "POST", path: `/v1/barriers/${barrier}/arrive`, body };
      const request = { kind: "arrive", barrier, member, count: MEETS, ttlMs, waitMs, ...named } as const;
      const outcome = await requests.ask(request, sent, arrived);
      if (outcome.kind === "arrived") {
        generation = outcome.generation;
        if (outcome.released) break;
      }
      if (chance.happens(GIVES_UP)) break;
      await requests.think();
    }
    await requests.think();
  }
}

function arrived({ status, code, body }: Reply): Outcome {
  if (status !== 200) return failed(status, code);
  const { generation, arrived: count, released } = body;
  return { kind: "arrived", generation, arrived: count, released };
}

/** How many it takes. */
const MEETS = 3;
const TRIES_MAX = 8;
const GIVES_UP = 0.05;
