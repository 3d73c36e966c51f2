import { text } from "node:stream/consumers";
import type { Transport } from "../../client/transport.js";
import { wrongUse } from "../failure.js";
import { segment } from "../names.js";
import { type Cell, printJson, printTable } from "../output.js";
import type { Owners } from "../types.js";

export interface OwnersOptions {
  readonly json?: boolean;
  readonly replicas?: number;
}

/** Prints the owners of keys, `-` meaning those of the standard input. All of one answer are by the same ring. */
export async function getOwners(
  transport: Transport,
  service: string,
  given: readonly string[],
  { json, replicas }: OwnersOptions,
): Promise<void> {
  const keys = given.includes("-") ? await withInput(given) : given;
  const answers: Owners[] = [];
  for (const some of inParts(keys, Math.min(KEYS_MAX, Math.floor(NAMED_MAX / (replicas ?? 1)))))
    answers.push(await owners(transport, service, some, replicas));
  if (json) for (const answer of answers) printJson(answer);
  else printTable(HEAD, answers.flatMap(rowsOf));
}

async function owners(
  transport: Transport,
  service: string,
  keys: readonly string[],
  replicas: number | undefined,
): Promise<Owners> {
  const answer = await transport.send<Owners>({
    method: "POST",
    path: `/services/${segment(service)}/owners`,
    body: () => ({ keys, replicas }),
    ...transport.limits({ timeoutMs: TIMEOUT_MS }),
  });
  return answer.body;
}

const HEAD = ["key", "owner", "address", "replicas"];

function rowsOf({ owners, members }: Owners): Cell[][] {
  return owners.map(({ key, owner, replicas }) => [
    key,
    owner,
    members[owner]?.address,
    replicas.slice(1).join(" ") || null,
  ]);
}

/** The keys with each line of the standard input in place of `-`. */
async function withInput(keys: readonly string[]): Promise<string[]> {
  if (process.stdin.isTTY) throw wrongUse("get: - reads keys from the standard input, which is the terminal");
  const lines = (await text(process.stdin)).split("\n").map((line) => line.replace(/\r$/, ""));
  const found = lines.filter((line) => line !== "");
  if (found.length === 0) throw wrongUse("get: there is no key on the standard input");
  return keys.flatMap((key) => (key === "-" ? found : [key]));
}

function inParts<T>(items: readonly T[], most: number): T[][] {
  const count = Math.ceil(items.length / most);
  return Array.from({ length: count }, (_, part) => items.slice(part * most, (part + 1) * most));
}

/** What one request may ask for: keys, and keys times replicas. Many long keys would exceed its body of 2 MB. */
const KEYS_MAX = 1_000;
const NAMED_MAX = 50_000;
const TIMEOUT_MS = 30_000;
