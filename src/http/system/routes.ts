import { createHash } from "node:crypto";
import { z } from "@hono/zod-openapi";
import type { Found } from "../../primitives/anti-entropy/anti-entropy.js";
import type { Lag } from "../../primitives/registers/lags.js";
import type { Primaries } from "../../quorum/primaries.js";
import type { Dependencies } from "../context.js";
import type { Routes } from "../registration.js";
import { json } from "../responses/content.js";
import { Reply } from "../responses/reply.js";
import { version } from "../version.js";
import * as examples from "./examples.js";
import { LiveSchema, PrimariesSchema, ReadySchema } from "./schemas.js";

export function systemRoutes(routes: Routes, dependencies: Dependencies): void {
  const { primaries, servers, antiEntropy, lags, embedded, config, metrics, port, stopping, clock } =
    dependencies;
  routes.add({
    method: "get",
    path: "/v1/primaries",
    operationId: "getPrimaries",
    needs: { action: "read", kind: "*" },
    tags: ["service"],
    summary: "See the primaries as this instance sees them",
    description:
      "Asks no primary: it is what this instance knows of them, and other instances may know otherwise.",
    answer: json("The primaries.", PrimariesSchema, examples.primaries),
    handle: async () => {
      const reports = await servers.all();
      return {
        primaries: primaries.all.map((primary, place) => {
          const latencyMs = { p50: primary.latency.quantile(0.5), p99: primary.latency.quantile(0.99) };
          const server = reports[place] ?? null;
          const copies = copiesOf(antiEntropy.foundAt(primary), clock.monotonicMs());
          const lag = lagOf(lags.of(place), clock.monotonicMs());
          return { address: primary.address, ...primary.status, latencyMs, lag, copies, server };
        }),
        configurationVersion: primaries.version,
        majority: primaries.majority,
        quorum: primaries.quorum,
        grantsInMs: primaries.grantsInMs,
        version,
        deployment: publicIdOf(primaries),
        embedded,
        commandTimeoutMs: config.commandTimeoutMs,
      };
    },
  });

  routes.add({
    method: "get",
    path: "/livez",
    operationId: "live",
    needs: "nothing",
    tags: ["service"],
    summary: "Check whether the process is alive",
    description: "200 as long as the process answers at all, whatever the state of the primaries.",
    answer: json("It is.", LiveSchema, examples.live),
    handle: () => ({ status: "ok" as const }),
  });

  routes.add({
    method: "get",
    path: "/readyz",
    operationId: "ready",
    needs: "nothing",
    tags: ["service"],
    summary: "Check whether to send requests to this instance",
    description:
      "200 from the start until this instance is told to stop, QUORATE_DRAIN_DELAY_MS before it refuses new requests. A lost quorum does not make an instance unready, as taking instances out of rotation would not help: the body tells it, and for how long no lease can be granted after a restart, and the operations answer no_quorum. An instance is also unready once a later version of Quorate has raised the protocol of the deployment.",
    answer: json("Send them.", ReadySchema, examples.ready),
    problems: ["shutting_down", "no_quorum"],
    handle: () => {
      stopping.assertReady();
      if (primaries.outdated) throw primaries.noQuorum();
      const { quorum, shortage, grantsInMs } = primaries;
      const ready = { status: "ready" as const, quorum, reason: shortage, grantsInMs };
      return port ? { ...ready, worker: port.worker } : ready;
    },
  });

  routes.add({
    method: "get",
    path: "/metrics",
    operationId: "metrics",
    needs: { action: "read", kind: "*" },
    tags: ["service"],
    summary: "Metrics for Prometheus",
    description:
      "Where several workers serve the port (QUORATE_WORKERS), those of all of them together, whichever answers.",
    answer: {
      description: "The text format of Prometheus.",
      content: {
        "text/plain": {
          schema: z.string().openapi({ description: "A line per sample." }),
          examples: examples.metrics,
        },
      },
    },
    handle: async () =>
      new Reply(200, await (port ? port.metrics() : metrics.text()), { "content-type": metrics.contentType }),
  });
}

function lagOf({ registers, sinceMs }: Lag, nowMs: number) {
  return { registers, forMs: sinceMs === null ? 0 : Math.round(nowMs - sinceMs) };
}

function copiesOf(found: Found | null, nowMs: number) {
  if (!found) return null;
  const { atMs, ...counts } = found;
  return { ...counts, comparedAgeMs: Math.max(0, Math.round(nowMs - atMs)) };
}

/** Tells deployments apart, and does not show the secret that their instances share. */
function publicIdOf(primaries: Primaries): string | null {
  if (primaries.version === null) return null;
  return createHash("sha256").update(`deployment\n${primaries.deployment}`).digest("hex").slice(0, 16);
}
