import { keyedOf } from "../../primitives/registers/keyed.js";
import { noLatch } from "../../primitives/registers/register-failures.js";
import type { Dependencies } from "../context.js";
import { IdempotencyHeaders } from "../registers/schemas.js";
import type { Routes } from "../registration.js";
import { body, json } from "../responses/content.js";
import { Reply } from "../responses/reply.js";
import { waitingFor } from "../watching/waiting.js";
import * as examples from "./examples.js";
import { DeletedLatchSchema, LatchParams, LatchQuery, LatchSchema, PutLatchBody } from "./schemas.js";

export function latchRoutes(routes: Routes, dependencies: Dependencies): void {
  readRoute(routes, dependencies);
  putRoute(routes);
  countDownRoute(routes);
  deleteRoute(routes);
}

function readRoute(routes: Routes, dependencies: Dependencies): void {
  routes.add({
    method: "get",
    path: "/v1/latches/{name}",
    operationId: "getLatch",
    needs: { action: "read", kind: "registers", names: { inPath: "name" } },
    tags: ["registers"],
    summary: "Read a latch, or wait until it is open",
    description: "With waitMs the answer comes as soon as it is open, or as it is after that time.",
    request: { params: LatchParams, query: LatchQuery },
    answer: json("The latch.", LatchSchema, examples.latches),
    problems: ["not_found", ...PROBLEMS],
    handle: async ({ params: { name }, query: { waitMs = 0 } }, { latches }, c) => {
      const { deadlineMs, during } = waitingFor(c, dependencies, waitMs);
      const latch =
        waitMs === 0
          ? await latches.get(name)
          : await during(
              (...until) => latches.opened(name, deadlineMs, ...until),
              (seen) => seen === null || seen.remaining === 0,
            );
      if (!latch) throw noLatch();
      return { name, ...latch };
    },
  });
}

function putRoute(routes: Routes): void {
  routes.add({
    method: "put",
    path: "/v1/latches/{name}",
    operationId: "putLatch",
    needs: { action: "use", act: "put", kind: "registers", names: { inPath: "name" } },
    tags: ["registers"],
    summary: "Make a latch",
    description:
      "It opens once it was counted down as often. The same request again changes nothing, however far it was counted down.",
    request: { params: LatchParams, body: body(PutLatchBody, examples.puts) },
    answer: json("It was there already.", LatchSchema, examples.latches),
    otherAnswers: { 201: json("It is made.", LatchSchema, examples.set) },
    problems: ["limit_mismatch", ...PROBLEMS],
    handle: async ({ params: { name }, body: { count } }, { latches }, c) => {
      const { created, latch } = await latches.put(name, count, c.req.raw.signal);
      const told = { name, ...latch };
      const headers = { "content-type": "application/json" };
      return new Reply(created ? 201 : 200, JSON.stringify(told), headers, told);
    },
  });
}

function countDownRoute(routes: Routes): void {
  routes.add({
    method: "post",
    path: "/v1/latches/{name}/count-down",
    operationId: "countDown",
    needs: { action: "use", act: "count-down", kind: "registers", names: { inPath: "name" } },
    tags: ["registers"],
    summary: "Count a latch down by one",
    description:
      "At 0 it is open, and stays so. With an Idempotency-Key it can be sent again after outcome_unknown: it counts once.",
    request: { params: LatchParams, headers: IdempotencyHeaders },
    answer: json("It counts.", LatchSchema, examples.latches),
    problems: ["not_found", "idempotency_mismatch", "too_many_keyed", ...PROBLEMS],
    handle: async ({ params: { name }, headers }, { latches }, c) => {
      const key = headers["idempotency-key"];
      const keyed = key === undefined ? null : keyedOf(key, "count-down");
      return { name, ...(await latches.countDown(name, { keyed, signal: c.req.raw.signal })) };
    },
  });
}

function deleteRoute(routes: Routes): void {
  routes.add({
    method: "delete",
    path: "/v1/latches/{name}",
    operationId: "deleteLatch",
    needs: { action: "use", act: "delete", kind: "registers", names: { inPath: "name" } },
    tags: ["registers"],
    summary: "Delete a latch",
    description: "Those that wait for it are answered that there is none.",
    request: { params: LatchParams },
    answer: json("It is not there.", DeletedLatchSchema, examples.deletions),
    problems: PROBLEMS,
    handle: async ({ params: { name } }, { latches }, c) => ({
      deleted: await latches.delete(name, c.req.raw.signal),
    }),
  });
}

const PROBLEMS = ["no_quorum", "contended", "outcome_unknown"] as const;
