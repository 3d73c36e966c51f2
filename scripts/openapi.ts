/**
 * Writes openapi.yaml from the code; with `--check` says whether it is what the code says, and changes nothing.
 * The service is put together as always, but over primaries that are never connected: describing needs no Redis.
 */
import { readFile, writeFile } from "node:fs/promises";
import { pino } from "pino";
import { systemClock, systemRandom } from "../src/clock.js";
import { readConfig } from "../src/config.js";
import { describe, toYaml } from "../src/http/openapi.js";
import { systemIds } from "../src/ids.js";
import { createService } from "../src/service.js";

const FILE = new URL("../openapi.yaml", import.meta.url);

const { app } = createService(
  readConfig({}),
  { urls: ["redis://127.0.0.1:6379"], embedded: false },
  {
    connect: () => ({
      ready: false,
      onChange: () => {},
      call: () => Promise.reject(new Error("this connection is only described")),
      close: () => {},
    }),
    clock: systemClock,
    random: systemRandom,
    ids: systemIds,
    log: pino({ level: "silent" }),
  },
);
const text = `# Made by "npm run openapi" from the code of the routes.\n${toYaml(describe(app))}`;

if (process.argv.includes("--check")) {
  const stored = await readFile(FILE, "utf8").catch(() => "");
  if (stored !== text) {
    console.error(
      `openapi.yaml is not what the code says${whereOf(stored)}. Run "npm run openapi" and look at the difference.`,
    );
    process.exit(1);
  }
  console.log("openapi.yaml is what the code says");
} else {
  await writeFile(FILE, text);
  console.log("openapi.yaml is written");
}

/** The first line that differs. */
function whereOf(stored: string): string {
  if (stored === "") return ": it is missing";
  const theirs = stored.split("\n");
  const ours = text.split("\n");
  const line = ours.findIndex((each, place) => each !== theirs[place]);
  return `, first in line ${line < 0 ? ours.length + 1 : line + 1}`;
}
