import type { Dependencies } from "../context.js";
import type { Routes } from "../registration.js";
import { body, json } from "../responses/content.js";
import { waitingFor } from "../watching/waiting.js";
import * as examples from "./examples.js";
import { ArriveBody, ArrivedSchema, BarrierParams } from "./schemas.js";

export function barrierRoutes(routes: Routes, dependencies: Dependencies): void {
  routes.add({
    method: "post",
    path: "/v1/barriers/{name}/arrive",
    operationId: "arrive",
    needs: { action: "use", act: "arrive", kind: "registers", names: { inPath: "name" } },
    tags: ["registers"],
    summary: "Arrive at a barrier, and wait for the others",
    description:
      "Once as many as count have arrived, all of them are released together, and the next generation begins. With waitMs the answer comes then, or says after that time who is missing: send it again with its generation to wait on.",
    request: { params: BarrierParams, body: body(ArriveBody, examples.arrivals) },
    answer: json("It has arrived.", ArrivedSchema, examples.arrived),
    problems: ["not_found", "limit_mismatch", "no_quorum", "contended", "outcome_unknown"],
    handle: async ({ params: { name }, body: { waitMs = 0, ...arrival } }, { barriers }, c) => {
      if (waitMs === 0)
        return barriers.arrive(name, arrival, { waitMs, deadlineMs: 0, signal: c.req.raw.signal });
      const { deadlineMs, during } = waitingFor(c, dependencies, waitMs);
      return during(
        (signal, inFlight) => barriers.arrive(name, arrival, { waitMs, deadlineMs, signal, inFlight }),
        // Also where this instance stops: it counts, and its generation tells where to wait on.
        () => true,
      );
    },
  });
}
