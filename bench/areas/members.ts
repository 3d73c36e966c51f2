import { times } from "../comparison/rounds.js";
import { call } from "../load/client.js";
import { type Deployment, startDeployment } from "../machine/deployment.js";
import type { ServerProcess } from "../machine/process.js";
import { type Area, BEFORE, NOW } from "./area.js";
import { byLoad, closed, services, startNoOp, startNoOpRoute } from "./contenders.js";

const CLIENTS = 64;

/** Heartbeats, one member per request. */
export const heartbeats: Area = {
  name: "heartbeats",
  about: "heartbeats of 64 members, one per request",
  prepare: async (bench, cleanup) => {
    const { instances } = await startDeployment(bench, cleanup);
    await register(instances, CLIENTS);
    const contenders = services(bench, instances, (url) => closed({ kind: "heartbeats", url }, CLIENTS));
    if (bench.peers) {
      const noOp = await startNoOp(cleanup);
      const job = closed({ kind: "heartbeats", url: noOp.url }, CLIENTS);
      contenders.push(byLoad(bench, { id: "no-op", label: "no-op POST" }, job, noOp));
    }
    return {
      settings: ["64 clients", "three primaries without persistence"],
      contenders,
      figures: [
        times("heartbeats against before", "perSecond", [NOW, BEFORE], { atLeast: 3 }),
        times("heartbeats against no-op POSTs", "perSecond", [NOW, "no-op"]),
      ],
    };
  },
};

/** Look-ups of owners, which need no primary while the view is fresh. */
export const owners: Area = {
  name: "owners",
  about: "look-ups of the owner of a key among 64 members",
  prepare: async (bench, cleanup) => {
    const { instances } = await startDeployment(bench, cleanup);
    await register(instances, CLIENTS);
    const contenders = services(bench, instances, (url) => closed({ kind: "owners", url }, CLIENTS));
    if (bench.peers) {
      const noOp = await startNoOp(cleanup);
      const job = closed({ kind: "owners", url: noOp.url }, CLIENTS);
      contenders.push(byLoad(bench, { id: "no-op", label: "no-op GET, validated" }, job, noOp));
    }
    return {
      settings: ["64 clients, 10,000 keys, 64 members", "three primaries without persistence"],
      contenders,
      figures: [
        times("look-ups against no-op GETs with validated parameters", "perSecond", [NOW, "no-op"], {
          atLeast: 0.7,
        }),
        times("look-ups against before", "perSecond", [NOW, BEFORE]),
      ],
    };
  },
};

/** Picks, which need no primary while the view is fresh. */
export const picks: Area = {
  name: "picks",
  about: "picks among 64 members, by all strategies in turn",
  prepare: async (bench, cleanup) => {
    const { urls, instances } = await startDeployment(bench, cleanup);
    await register(instances, CLIENTS);
    // The state before may have no picks.
    const now = instances.filter(({ isBefore }) => !isBefore);
    const noOp = bench.peers ? await startNoOp(cleanup) : null;
    const noOpRoute = bench.peers ? await startNoOpRoute(urls, cleanup) : null;
    const by = (clients: number, suffix: string, label: string) => {
      const job = (url: string) => closed({ kind: "picks", url }, clients);
      const contenders = services(bench, now, job, { suffix, label });
      const peer = (id: string, of: string, server: ServerProcess) =>
        byLoad(bench, { id: id + suffix, label: of + label }, job(server.url), server);
      if (noOpRoute) contenders.push(peer("route", "no-op route of the service", noOpRoute));
      if (noOp) contenders.push(peer("no-op", "no-op POST of the framework", noOp));
      return contenders;
    };
    return {
      settings: ["64 clients, 10,000 keys, 64 members", "three primaries without persistence"],
      contenders: [...by(CLIENTS, "", ""), ...by(1, "-alone", ", one client")],
      figures: [
        times("picks against the same POST with nothing behind it", "perSecond", [NOW, "route"], {
          atLeast: 0.7,
        }),
        times("picks against POSTs that the framework alone answers", "perSecond", [NOW, "no-op"]),
        times("one client: picks against the same POST", "perSecond", [`${NOW}-alone`, "route-alone"]),
        times("one client: picks against POSTs of the framework", "perSecond", [
          `${NOW}-alone`,
          "no-op-alone",
        ]),
      ],
    };
  },
};

async function register(instances: Deployment["instances"], count: number): Promise<void> {
  for (const { process } of instances)
    for (let member = 0; member < count; member++) {
      const path = `/v1/services/bench/members/member-${member}`;
      const body = { address: `http://10.0.0.${member}:9000`, ttlMs: 600_000 };
      await call(process.url, path, body, "PUT");
    }
}
