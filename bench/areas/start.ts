import { spawn } from "node:child_process";
import { once } from "node:events";
import { times } from "../comparison/rounds.js";
import { build } from "../machine/checkout.js";
import { Cleanup } from "../machine/cleanup.js";
import { startRedis, untilReady } from "../machine/deployment.js";
import { ROOT, startInstanceProcess } from "../machine/process.js";
import { type Area, BEFORE, NOW } from "./area.js";

/** From the start of the process until /readyz answers 200, on running primaries. */
export const start: Area = {
  name: "start",
  about: "from the start of the process to ready, on running primaries; a start per turn",
  prepare: async ({ before }, cleanup) => {
    const urls = await startRedis(3, "off", cleanup);
    await build(ROOT);
    const starting = (id: string, label: string, prefix: string, root: string) => ({
      id,
      label,
      turn: async () => {
        await using ended = new Cleanup();
        const env = { REDIS_URLS: urls.join(","), QUORATE_KEY_PREFIX: prefix };
        const startMs = performance.now();
        const { url } = ended.add(await startInstanceProcess(env, [], root));
        await untilReady(url);
        return { p50Ms: performance.now() - startMs };
      },
    });
    const packages = {
      id: "packages",
      label: "a process that only loads the packages",
      turn: async () => {
        const startMs = performance.now();
        const child = spawn(process.execPath, ["--input-type=module", "-e", PACKAGES], {
          cwd: ROOT,
          stdio: "ignore",
        });
        await once(child, "exit");
        return { p50Ms: performance.now() - startMs };
      },
    };
    return {
      settings: ["three primaries that run already"],
      contenders: [
        starting(NOW, "this service", "q:", ROOT),
        ...(before ? [starting(BEFORE, `before: ${before.label}`, "b:", before.root)] : []),
        packages,
      ],
      figures: [
        {
          label: "start to ready",
          unit: "ms",
          goal: { atMost: 1_000 },
          of: (sample) => sample(NOW).p50Ms ?? 0,
        },
        times("against before", "p50Ms", [NOW, BEFORE]),
        times("against a process that only loads the packages", "p50Ms", [NOW, "packages"]),
      ],
    };
  },
};

const PACKAGES = `
  await Promise.all(["@hono/node-server", "@hono/zod-openapi", "ioredis", "pino", "prom-client"].map((name) => import(name)));
  process.exit(0);
`;
