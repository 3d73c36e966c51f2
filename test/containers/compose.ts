import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { startPrimaries, type TestPrimaries } from "../helpers/primaries.js";
import { containerRun } from "../helpers/run.js";

/** Whether the primaries of this folder's tests are containers: with TEST_REDIS=process they are processes. */
export const inContainers = (await containerRun()) !== null;

/** Three primaries in containers, each with the settings that docker-compose.yml gives it. */
export async function startAsComposed(): Promise<TestPrimaries> {
  const run = await containerRun();
  return startPrimaries(3, { settings: await composedSettings(), ...(run && { run }) });
}

/** What docker-compose.yml says after the name of the program; throws where its primaries differ. */
export async function composedSettings(): Promise<string[]> {
  const text = await readFile(new URL("../../docker-compose.yml", import.meta.url), "utf8");
  const { services } = parse(text, { merge: true }) as { services: Record<string, { command?: string }> };
  const commands = Object.entries(services)
    .filter(([name]) => name.startsWith("primary-"))
    .map(([, { command }]) => command ?? "");
  const [program, ...settings] = words(commands[0] ?? "");
  if (program !== "redis-server" || new Set(commands).size !== 1)
    throw new Error(`docker-compose.yml has other primaries than this expects: ${commands.join("; ")}`);
  return settings;
}

/** As Compose splits a command; of quotes only those around a whole word. */
function words(command: string): string[] {
  return [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}
