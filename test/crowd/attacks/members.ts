import { type Attack, inParallel, insist, unless } from "../attack.js";
import { type Answer, Client } from "../client.js";
import { most } from "../figures.js";

export const members: Attack = {
  name: "members",
  about: "so many members with 2 KB of metadata each are listed by five at once",
  clients: 3_000,
  clientsInTests: 2_000,
  seconds: 0,
  secondsInTests: 0,
  async run({ urls: [url = ""], clients }) {
    const client = new Client(url);
    await register(client, "crowded", clients, (i) => ({
      address: `10.0.0.1:${i}`,
      metadata: { text: "m".repeat(2_000) },
      ttlMs: 300_000,
    }));
    const lists: List[] = [];
    for (const atOnce of [1, 2, 5, 5]) {
      lists.push(...(await Promise.all(Array.from({ length: atOnce }, () => listAll(client, "crowded")))));
    }
    client.close();
    return {
      lists: lists.length,
      "complete lists": lists.filter(({ ids }) => ids.size === clients).length,
      "longest list ms": most(lists.map(({ ms }) => ms)),
      "largest page MB": most(lists.map(({ bytesMost }) => bytesMost)) / 1e6,
      "status 503": lists.filter(({ status }) => status === 503).length,
    };
  },
  broken: (figures, slack) =>
    unless(
      [
        figures["complete lists"] === figures.lists,
        `${figures["complete lists"]} of ${figures.lists} lists were complete`,
      ],
      [
        (figures["longest list ms"] ?? 0) <= 3_000 * slack,
        `a list took ${Math.round(figures["longest list ms"] ?? 0)} ms`,
      ],
    ),
};

export const weights: Attack = {
  name: "weights",
  about: "50 members of weight 256 are listed by so many at once while one of them joins and leaves",
  clients: 20,
  clientsInTests: 20,
  seconds: 3,
  secondsInTests: 2,
  async run({ urls: [url = ""], clients, seconds }) {
    const client = new Client(url);
    await register(client, "weighty", 50, (i) => ({
      address: `10.0.0.1:${i}`,
      weight: 256,
      ttlMs: 300_000,
    }));
    const answers: Answer[] = [];
    const endMs = performance.now() + seconds * 1000;
    await Promise.all([
      ...Array.from({ length: clients }, async () => {
        while (performance.now() < endMs) answers.push(await client.get("/v1/services/weighty/members"));
      }),
      (async () => {
        for (let i = 0; performance.now() < endMs; i++) {
          const path = `/v1/services/weighty/members/fickle-${i}`;
          await client.ask("PUT", path, { address: "10.0.0.1:1", weight: 256 });
          await client.ask("DELETE", path);
          await new Promise((resolve) => setTimeout(resolve, 200));
        }
      })(),
    ]);
    client.close();
    return {
      lists: answers.length,
      failed: answers.filter(({ status }) => status !== 200).length,
      "longest list ms": most(answers.map(({ ms }) => ms)),
    };
  },
  broken: (figures) => unless([!figures.failed, `${figures.failed} of ${figures.lists} lists failed`]),
};

export const manyServices: Attack = {
  name: "many-services",
  about: "so many services with a member each are listed by ten at once",
  clients: 2_000,
  clientsInTests: 2_000,
  seconds: 0,
  secondsInTests: 0,
  async run({ urls: [url = ""], clients }) {
    const client = new Client(url);
    await inParallel(clients, 16, (i) =>
      insist(
        () =>
          client.ask("PUT", `/v1/services/many-${i}/members/one`, { address: "10.0.0.1:80", ttlMs: 300_000 }),
        200,
        201,
      ),
    );
    const lists: { ms: number; failed: number; names: number }[] = [];
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        const startMs = performance.now();
        const names = new Set<string>();
        let failed = 0;
        for (let cursor: string | null | undefined = ""; typeof cursor === "string"; ) {
          const query: string = cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`;
          const answer = await client.get(`/v1/services${query}`);
          if (answer.status !== 200) {
            failed += 1;
            break;
          }
          const page = JSON.parse(answer.body) as { services: { service: string }[]; cursor?: string | null };
          for (const { service } of page.services) names.add(service);
          cursor = page.cursor;
        }
        const ours = [...names].filter((name) => name.startsWith("many-")).length;
        lists.push({ ms: performance.now() - startMs, failed, names: ours });
      }),
    );
    client.close();
    return {
      lists: lists.length,
      "complete lists": lists.filter(({ names }) => names === clients).length,
      failed: lists.reduce((sum, { failed }) => sum + failed, 0),
      "longest list ms": most(lists.map(({ ms }) => ms)),
    };
  },
  broken: (figures) =>
    unless([
      figures["complete lists"] === figures.lists,
      `${figures["complete lists"]} of ${figures.lists} lists were complete`,
    ]),
};

/** So many members of one service; tries again where it is refused, since that is not the attack. */
export async function register(
  client: Client,
  service: string,
  count: number,
  member: (i: number) => Record<string, unknown>,
  /** Makes their ids as long as that, where they are not. */
  idLength = 0,
): Promise<void> {
  await inParallel(count, 16, (i) =>
    insist(
      () =>
        client.ask(
          "PUT",
          `/v1/services/${service}/members/${`m-${String(i).padStart(5, "0")}`.padEnd(idLength, "x")}`,
          member(i),
        ),
      200,
      201,
    ),
  );
}

interface List {
  readonly status: number;
  readonly ids: ReadonlySet<string>;
  readonly ms: number;
  readonly bytesMost: number;
}

/** All pages, from the beginning again where the ring changed, as those who list should. */
async function listAll(client: Client, service: string): Promise<List> {
  const startMs = performance.now();
  let ids = new Set<string>();
  let ringId: string | null = null;
  let bytesMost = 0;
  let cursor: string | null = null;
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const query: string = cursor === null ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    const { status, body } = await client.get(`/v1/services/${service}/members${query}`);
    bytesMost = Math.max(bytesMost, body.length);
    if (status !== 200) return { status, ids: new Set(), ms: performance.now() - startMs, bytesMost };
    const page = JSON.parse(body) as { members: { id: string }[]; ringId: string; cursor?: string | null };
    if (ringId !== null && page.ringId !== ringId) {
      ids = new Set();
      ringId = null;
      cursor = null;
      continue;
    }
    ringId = page.ringId;
    for (const { id } of page.members) ids.add(id);
    cursor = page.cursor ?? null;
    if (cursor === null) break;
  }
  return { status: 200, ids, ms: performance.now() - startMs, bytesMost };
}

const PAGES_MAX = 200;
