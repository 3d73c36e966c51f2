import type { Outcome } from "../../history/operation.js";
import type { Reply } from "../cluster/http.js";
import { type Asker, keyHeader, Requests } from "./asking.js";
import { failed } from "./lock-service.js";

/** Adds to a counter and reads it; `counterOf` changes from time to time, so that one has a history that can be judged. */
export async function addUp(user: Asker, counterOf: () => string): Promise<void> {
  const { chance, signal, id } = user;
  using requests = new Requests(user);
  for (let turn = 0; !signal.aborted; turn++) {
    const counter = counterOf();
    const path = `/v1/counters/${counter}`;
    if (chance.happens(0.6)) {
      const key = chance.happens(KEYED) ? `${id}-${turn}` : undefined;
      const by = chance.whole(1, 100) * chance.pick([1, 1, -1]);
      const keyed = key === undefined ? {} : { idempotencyKey: key };
      const sent = { method: "POST", path: `${path}/add`, body: { by }, headers: keyHeader(key) };
      await requests.insist({ kind: "add", counter, by, ...keyed }, sent, counted, key === undefined ? 1 : 2);
    } else await requests.ask({ kind: "count", counter }, { method: "GET", path }, counted);
    await requests.think();
  }
}

function counted({ status, code, body }: Reply): Outcome {
  return status === 200 ? { kind: "counted", value: body.value } : failed(status, code);
}

/** Counts a latch down, reads it, and waits until it is open; then takes the next. */
export async function countDown(user: Asker, latchOf: (turn: number) => string): Promise<void> {
  const { chance, signal, id } = user;
  using requests = new Requests(user);
  for (let turn = 0, round = 0; !signal.aborted; turn++) {
    const latch = latchOf(round);
    const path = `/v1/latches/${latch}`;
    let outcome: Outcome;
    switch (chance.weighted({ down: 6, look: 3, wait: 2, set: 1 })) {
      case "down": {
        const key = chance.happens(KEYED) ? `${id}-${turn}` : undefined;
        const keyed = key === undefined ? {} : { idempotencyKey: key };
        const sent = { method: "POST", path: `${path}/count-down`, headers: keyHeader(key) };
        const request = { kind: "count_down", latch, ...keyed } as const;
        outcome = await requests.insist(request, sent, latched, key === undefined ? 1 : 2);
        break;
      }
      case "look":
        outcome = await requests.ask({ kind: "latch", latch }, { method: "GET", path }, latched);
        break;
      case "wait": {
        const waitMs = chance.whole(100, 1_500);
        const sent = { method: "GET", path: `${path}?waitMs=${waitMs}` };
        outcome = await requests.ask({ kind: "latch", latch, waitMs }, sent, latched);
        break;
      }
      case "set":
        outcome = await set(requests, latch, path);
        break;
    }
    if (outcome.kind === "latched" && outcome.latch === null) outcome = await set(requests, latch, path);
    if (outcome.kind === "latched" && outcome.latch?.remaining === 0) round++;
    await requests.think();
  }
}

function set(requests: Requests, latch: string, path: string): Promise<Outcome> {
  const sent = { method: "PUT", path, body: { count: LATCH_COUNT } };
  return requests.ask({ kind: "set_latch", latch, count: LATCH_COUNT }, sent, latched);
}

function latched({ status, code, body }: Reply): Outcome {
  if (code === "not_found") return { kind: "latched", latch: null };
  if (status !== 200 && status !== 201) return failed(status, code);
  return { kind: "latched", latch: { count: body.count, remaining: body.remaining } };
}

/** The share of changes that have an idempotency key: a register remembers 64 of them. */
const KEYED = 0.4;
const LATCH_COUNT = 12;
