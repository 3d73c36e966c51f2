/**
 * What a team writes that takes no coordination service: hono, zod and redlock on the same three primaries. It has no
 * fencing tokens, no queue, no renewal and no answer that says whether a lock is held or a majority is missing.
 * With AUTO_PIPELINING=1 ioredis sends the commands of one turn of the event loop together.
 */
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { Redis } from "ioredis";
import Redlock, { Lock } from "redlock";
import { z } from "zod";
import { ITS_OWN_SCRIPTS } from "../load/redis-workloads.js";

const Name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/);
const Acquire = z.strictObject({ ttlMs: z.int().min(100).max(600_000) });
const Release = z.strictObject({ leaseId: z.string().min(16).max(128) });

const enableAutoPipelining = process.env.AUTO_PIPELINING === "1";
const primaries = (process.env.REDIS_URLS ?? "")
  .split(",")
  .map((url) => new Redis(url, { enableAutoPipelining }));
const redlock = new Redlock(primaries, { retryCount: 0 }, ITS_OWN_SCRIPTS);
const app = new Hono();

app.post("/v1/locks/:name/acquire", async (c) => {
  const name = Name.safeParse(c.req.param("name"));
  const body = Acquire.safeParse(await c.req.json());
  if (!name.success || !body.success) return c.json({ title: "invalid" }, 400);
  try {
    const { value } = (await redlock.acquire([name.data], body.data.ttlMs)) as unknown as { value: string };
    return c.json({ leaseId: value });
  } catch {
    return c.json({ title: "held" }, 409);
  }
});

app.post("/v1/locks/:name/release", async (c) => {
  const name = Name.safeParse(c.req.param("name"));
  const body = Release.safeParse(await c.req.json());
  if (!name.success || !body.success) return c.json({ title: "invalid" }, 400);
  try {
    await redlock.release(new Lock(redlock, [name.data], body.data.leaseId, [], Date.now() + 10_000));
    return c.json({ released: true });
  } catch {
    return c.json({ released: false });
  }
});

serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => {
  console.log(`listens on http://127.0.0.1:${port}`);
});
