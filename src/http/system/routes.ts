import { createRoute, z } from "@hono/zod-openapi";
import type { App, Services } from "../context.js";
import { problems, problemsOutsideV1 } from "../problem.js";
import { json } from "../responses/content.js";
import * as examples from "./examples.js";
import { LiveSchema, PrimariesSchema, ReadySchema } from "./schemas.js";

export function systemRoutes(app: App, { primaries, metrics, stopping }: Services): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/v1/primaries",
      operationId: "getPrimaries",
      tags: ["service"],
      summary: "See the primaries as this instance sees them",
      responses: { 200: json("The primaries.", PrimariesSchema, examples.primaries), ...problems() },
    }),
    (c) =>
      c.json(
        {
          primaries: primaries.all.map((primary) => {
            const latencyMs = { p50: primary.latency.quantile(0.5), p99: primary.latency.quantile(0.99) };
            return { address: primary.address, ...primary.status, latencyMs };
          }),
          configurationVersion: primaries.version,
          majority: primaries.majority,
          quorum: primaries.quorum,
          grantsInMs: primaries.grantsInMs,
        },
        200,
      ),
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/livez",
      operationId: "live",
      tags: ["service"],
      summary: "Whether the process lives",
      responses: { 200: json("It does.", LiveSchema, examples.live), ...problemsOutsideV1() },
    }),
    (c) => c.json({ status: "ok" as const }, 200),
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/readyz",
      operationId: "ready",
      tags: ["service"],
      summary: "Whether to send requests here",
      description:
        "200 from the start until this instance is told to stop, QUORATE_DRAIN_DELAY_MS before it takes no more requests. A lost quorum, and for how long no lease can be granted after a restart, are told in the body and as no_quorum by the operations: taking instances out would not help.",
      responses: {
        200: json("Send them.", ReadySchema, examples.ready),
        ...problemsOutsideV1("shutting_down"),
      },
    }),
    (c) => {
      stopping.assertReady();
      const { quorum, shortage, grantsInMs } = primaries;
      return c.json({ status: "ready" as const, quorum, reason: shortage, grantsInMs }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/metrics",
      operationId: "metrics",
      tags: ["service"],
      summary: "Metrics for Prometheus",
      responses: {
        200: {
          description: "The text format of Prometheus.",
          content: {
            "text/plain": {
              schema: z.string(),
              examples: examples.metrics,
            },
          },
        },
        ...problemsOutsideV1(),
      },
    }),
    async (c) =>
      c.text(await metrics.registry.metrics(), 200, { "content-type": metrics.registry.contentType }),
  );
}
