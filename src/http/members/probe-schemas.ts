import { z } from "@hono/zod-openapi";
import { label, request } from "../fields.js";

const probeTerms = {
  http: label(
    512,
    "URL that is to answer with a status from 200 to 299; redirects are not followed.",
    "http://10.0.0.7:9000/health",
  ),
  tcp: label(300, "Host and port that are to accept connections.", "10.0.0.7:9000"),
  intervalMs: z
    .int()
    .min(1_000)
    .max(300_000)
    .openapi({ description: "How often to look, whichever instance does, ms.", example: 5_000 }),
  timeoutMs: z.int().min(100).max(10_000).openapi({
    description: "How long the member may take to answer, ms; at most intervalMs.",
    example: 1_000,
  }),
};

/** As it was registered. */
export const ProbeSchema = request(
  "Probe",
  "How instances are to find out whether a member can be reached: with http or tcp.",
  { ...probeTerms, http: probeTerms.http.optional(), tcp: probeTerms.tcp.optional() },
);

/** As it is to be registered; the target itself is judged by what may be probed. */
export const probeInRequest = ProbeSchema.refine(
  ({ http, tcp }) => (http === undefined) !== (tcp === undefined),
  "must have either http or tcp",
).refine(({ intervalMs, timeoutMs }) => timeoutMs <= intervalMs, {
  path: ["timeoutMs"],
  message: "must be at most intervalMs",
});
