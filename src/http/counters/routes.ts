import { keyedOf } from "../../primitives/registers/keyed.js";
import { acknowledged } from "../registers/acknowledged.js";
import { AcksQuery, IdempotencyHeaders } from "../registers/schemas.js";
import type { Routes } from "../registration.js";
import { body, json } from "../responses/content.js";
import * as examples from "./examples.js";
import { AddBody, CounterParams, CounterSchema, SumSchema } from "./schemas.js";

export function counterRoutes(routes: Routes): void {
  routes.add({
    method: "get",
    path: "/v1/counters/{name}",
    operationId: "getCounter",
    needs: { action: "read", kind: "registers", names: { inPath: "name" } },
    tags: ["registers"],
    summary: "Read a counter",
    description:
      "It counts everything that was acknowledged before. A counter is 0 before anything was added.",
    request: { params: CounterParams },
    answer: json("The counter.", CounterSchema, examples.counters),
    problems: ["no_quorum", "contended", "outcome_unknown"],
    handle: async ({ params: { name } }, { counters }) => ({ name, value: await counters.get(name) }),
  });
  routes.add({
    method: "post",
    path: "/v1/counters/{name}/add",
    operationId: "addToCounter",
    needs: { action: "use", act: "add", kind: "registers", names: { inPath: "name" } },
    tags: ["registers"],
    summary: "Add to a counter",
    description:
      "Of additions at the same time each is counted, and each gets another value. With an Idempotency-Key it can be sent again after outcome_unknown: it counts once.",
    request: {
      params: CounterParams,
      headers: IdempotencyHeaders,
      query: AcksQuery,
      body: body(AddBody, examples.additions),
    },
    answer: json("It is added.", SumSchema, examples.sums),
    problems: ["no_quorum", "contended", "outcome_unknown", "idempotency_mismatch", "too_many_keyed"],
    handle: async ({ params: { name }, headers, query, body: { by } }, { counters }, c) => {
      const key = headers["idempotency-key"];
      const keyed = key === undefined ? null : keyedOf(key, "add", by);
      const value = await counters.add(name, by, { keyed, signal: c.req.raw.signal });
      return { value, ...(await acknowledged(query, () => counters.lacking(name))) };
    },
  });
}
