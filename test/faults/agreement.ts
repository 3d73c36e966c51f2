import { setTimeout as sleep } from "node:timers/promises";
import { Keys } from "../../src/scripts/keys.js";
import { command } from "../helpers/deployment.js";
import { type Violation, violation } from "../history/check.js";
import type { TestCluster } from "./cluster/cluster.js";
import { HttpClient } from "./cluster/http.js";
import { FLEET } from "./load/fleet.js";
import type { Watcher } from "./load/watchers.js";

interface Shown {
  readonly id: string;
  readonly incarnation: number;
  readonly revision: number;
  readonly status: string;
}

/** When nobody changes members any more, each watcher knows those that are listed, at each instance, and as the same. */
export async function watchersAgree(
  cluster: TestCluster,
  watchers: readonly Watcher[],
  withinMs = AGREE_WITHIN_MS,
): Promise<Violation[]> {
  using http = new HttpClient(PATIENCE_MS);
  const [first] = cluster.services;
  const path = (id: string) => `/v1/services/${FLEET}/members/${id}`;
  const stay = ["stays-0", "stays-1", "stays-2"];
  const send = (method: string, id: string, more: string, body?: object) =>
    http.call(first?.url ?? "", method, path(id) + more, body);
  for (const id of stay) await send("PUT", id, "", { address: `${id}:1`, ttlMs: 5_000 });
  await send("PATCH", "stays-0", "", { status: "draining" });
  let differences: string[] = [];
  for (const endMs = performance.now() + withinMs; performance.now() < endMs; await sleep(200)) {
    for (const id of stay) await send("POST", id, "/heartbeat");
    const lists = await Promise.all(
      cluster.services.map(({ url }) => http.call(url, "GET", `/v1/services/${FLEET}/members`)),
    );
    if (lists.some(({ status }) => status !== 200)) continue;
    const listed = lists.map(({ body }) => textOf((body.members as Shown[]).map(shownAs)));
    const told = watchers.map(({ id, members }) => ({ id, text: textOf([...members]) }));
    differences = [
      ...listed
        .filter((text) => text !== listed[0])
        .map((text) => `the lists are [${listed[0]}] and [${text}]`),
      ...told
        .filter(({ text }) => text !== listed[0])
        .map(({ id, text }) => `${id} knows [${text}], and the list is [${listed[0]}]`),
    ];
    const isWhole = stay.every((id) => listed[0]?.includes(id));
    if (isWhole && differences.length === 0) return [];
  }
  return differences.map((what) => violation("watchers", what));
}

/** After a primary forgot: it has each member that is listed, as it is listed. */
export async function primariesAreFilled(
  cluster: TestCluster,
  { prefix = cluster.prefix, withinMs = FILLED_WITHIN_MS } = {},
): Promise<Violation[]> {
  using http = new HttpClient(PATIENCE_MS);
  const keys = new Keys(prefix);
  let lacking: ReadonlySet<string> | null = null;
  for (const endMs = performance.now() + withinMs; performance.now() < endMs; await sleep(100)) {
    const { status, body } = await http.call(
      cluster.services[0]?.url ?? "",
      "GET",
      `/v1/services/${FLEET}/members`,
    );
    if (status !== 200) continue;
    const now = new Set<string>();
    for (const [place, primary] of cluster.primaries.entries())
      for (const { id, incarnation } of body.members as Shown[]) {
        const stored = await command(primary, "HMGET", keys.member(FLEET, id), "left", "incarnation").catch(
          () => [],
        );
        const [left, of] = stored as (string | null)[];
        if (left !== "0" || Number(of) < incarnation)
          now.add(`primary ${place} lacks ${id} (${incarnation})`);
      }
    // What comes and goes meanwhile is not lacking all the time.
    lacking = new Set([...now].filter((one) => lacking === null || lacking.has(one)));
    if (lacking.size === 0) return [];
  }
  return [...(lacking ?? [])].map((what) =>
    violation("recovery", `${withinMs} ms after all took part again ${what}`),
  );
}

const shownAs = ({ id, incarnation, revision, status }: Shown) =>
  [id, `${status} ${incarnation}.${revision}`] as const;
const textOf = (members: readonly (readonly [string, string])[]) =>
  members
    .map(([id, shown]) => `${id} ${shown}`)
    .sort()
    .join(", ");

const PATIENCE_MS = 2_000;
/** What died must be gone, and suspicion is looked at once a second, on a busy machine. */
const AGREE_WITHIN_MS = 20_000;
/** A heartbeat of each has come by then. */
const FILLED_WITHIN_MS = 5_000;
