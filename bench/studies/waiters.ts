/**
 * Many waiters: whether each is served once and in the order of arrival, and how many Redis commands a handover takes,
 * depending on the number of waiters; then the cost of many waiting requests for one instance while nothing is released.
 *   npx tsx bench/studies/waiters.ts [--lines 10,100,1000] [--waiting 10000] [--names 100,1] [--seconds 20] [--profile dir]
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { startPrimaries } from "../../test/helpers/primaries.js";
import { Watched } from "../machine/primaries.js";
import { startInstanceProcess } from "../machine/process.js";
import { serverVersion } from "../machine/servers.js";
import { serve } from "./line.js";
import { standStill } from "./still.js";

const { values } = parseArgs({
  options: {
    lines: { type: "string", default: "10,100,1000" },
    waiting: { type: "string", default: "10000" },
    names: { type: "string", default: "100,1" },
    seconds: { type: "string", default: "20" },
    profile: { type: "string" },
  },
});
process.env.TEST_REDIS = "process";
const numbers = (text: string) => text.split(",").filter(Boolean).map(Number);

await using primaries = await startPrimaries(3, { args: ["--appendfsync", "everysec"] });
using watched = new Watched(primaries.urls);
// A busy machine should spoil the figures, not abort the run.
const env = { REDIS_URLS: primaries.urls.join(","), QUORATE_COMMAND_TIMEOUT_MS: "1000" };
print(
  `Node ${process.versions.node}, ${availableParallelism()} cores; three ${await serverVersion()}, appendfsync everysec; one instance, built, its defaults but a command timeout of 1 s`,
);

for (const waiters of numbers(values.lines)) {
  await using service = await startInstanceProcess(env);
  const { joining, serving, ms } = await serve(service.url, watched, waiters);
  const each = (calls: number) => (calls / waiters).toFixed(2);
  print(
    `${waiters} waiters on one name: each served once, in order, ${(ms / waiters).toFixed(2)} ms a handover`,
  );
  print(
    `  Redis commands a handover, three primaries together: ${each(serving.scripts)} EVALSHA, ${each(serving.messages)} PUBLISH, ${each(serving.all)} with those inside scripts; to join ${each(joining.scripts)} EVALSHA, ${each(joining.all)} with those inside`,
  );
}

const node = values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`];
for (const names of numbers(values.names)) {
  await using service = await startInstanceProcess(env, node);
  const waiting = Number(values.waiting);
  const still = await standStill(service, watched, { waiting, names, seconds: Number(values.seconds) });
  print(
    `${waiting} waiting requests, ${names} names x ${waiting / names}: ${still.residentMb.toFixed(0)} MB resident (${still.idleMb.toFixed(0)} MB before they came), ${still.cpuPercent.toFixed(1)} % of a core over ${still.seconds.toFixed(1)} s while nothing moves`,
  );
  print(`  joined in ${(still.joinedMs / 1000).toFixed(1)} s`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
