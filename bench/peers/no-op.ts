/**
 * The ceiling: the service's framework and the service's own validation, with nothing behind them. Acquire and release
 * answer with constants of the usual size, and so does the look-up of an owner.
 */
import { randomBytes } from "node:crypto";
import { serve } from "@hono/node-server";
import { type Context, Hono } from "hono";
import type { z } from "zod";
import { ReleaseBody } from "../../src/http/leases/schemas.js";
import { acquireBody, LockParams } from "../../src/http/locks/schemas.js";
import { HeartbeatBody } from "../../src/http/members/heartbeat-schemas.js";
import { MemberParams, ServiceParams } from "../../src/http/members/schemas.js";
import { OwnerQuery } from "../../src/http/owners/schemas.js";
import { PickBody } from "../../src/http/picks/schemas.js";

const AcquireBody = acquireBody(600_000);
const lease = {
  leaseId: randomBytes(16).toString("base64url"),
  names: ["bench-0-0"],
  mode: "exclusive",
  fencingToken: 1,
  ttlMs: 10_000,
  validForMs: 9_890,
};
const pulse = { incarnation: 1_700_000_000_000, revision: 1, ttlMs: 10_000, heartbeatIntervalMs: 3_000 };
const member = {
  id: "member-0",
  address: "http://127.0.0.1:9000",
  weight: 1,
  zone: null,
  tags: [],
  metadata: null,
  incarnation: 1_700_000_000_000,
  revision: 1,
  ttlMs: 600_000,
  status: "up",
  lastHeartbeatAgeMs: 10_000,
  endsInMs: null,
  load: null,
};
const app = new Hono();

app.post("/v1/locks/:name/acquire", (c) => posted(c, LockParams, AcquireBody, lease));
app.post("/v1/locks/:name/release", (c) => posted(c, LockParams, ReleaseBody, { released: true }));
app.post("/v1/services/:service/members/:id/heartbeat", (c) => posted(c, MemberParams, HeartbeatBody, pulse));
const picked = { members: [member], alternatives: [member, member], fallbacks: [], ageMs: 1 };
app.post("/v1/services/:service/pick", (c) => posted(c, ServiceParams, PickBody, picked));
app.get("/v1/services/:service/owner", (c) => {
  const params = ServiceParams.safeParse(c.req.param());
  const query = OwnerQuery.safeParse(c.req.query());
  if (!params.success || !query.success) return c.json({ title: "invalid" }, 400);
  return c.json({ key: query.data.key, owner: member, replicas: [member], ringId: "ring-v1:0", ageMs: 1 });
});

async function posted(c: Context, params: z.ZodType, body: z.ZodType, answer: object): Promise<Response> {
  if (!params.safeParse(c.req.param()).success) return c.json({ title: "invalid" }, 400);
  if (!body.safeParse(await c.req.json()).success) return c.json({ title: "invalid" }, 400);
  return c.json(answer);
}

serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => {
  console.log(`listens on http://127.0.0.1:${port}`);
});
