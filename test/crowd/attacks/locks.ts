import { setTimeout as sleep } from "node:timers/promises";
import { type Attack, expectStatus, inParallel, insist, unless } from "../attack.js";
import { type Answer, Client } from "../client.js";
import { most, statuses } from "../figures.js";

export const several: Attack = {
  name: "several",
  about: "so many clients at once wait for 16 of 64 names each, and give them back at once",
  clients: 1_000,
  clientsInTests: 200,
  seconds: 0,
  secondsInTests: 0,
  async run({ urls: [url = ""], clients }) {
    const client = new Client(url);
    const answers = await Promise.all(
      Array.from({ length: clients }, async (_, i) => {
        const names = Array.from({ length: 16 }, (_, k) => `several-${(i * 7 + k * 3) % 64}`);
        const answer = await client.post("/v1/locks/acquire", { names, ttlMs: 5_000, waitMs: 10_000 });
        if (answer.status === 200) {
          await client.post("/v1/locks/release", { names, leaseId: JSON.parse(answer.body).leaseId });
        }
        return answer;
      }),
    );
    client.close();
    return { "longest answer ms": most(answers.map(({ ms }) => ms)), ...statuses(answers) };
  },
  broken: (figures, slack) =>
    unless(
      [!figures["status 503"], `${figures["status 503"]} of those in line were told 503`],
      [!figures["no answer"], `${figures["no answer"]} of those in line were not answered`],
      [
        (figures["longest answer ms"] ?? 0) <= 10_000 + 1_000 * slack,
        `one was answered after ${Math.round(figures["longest answer ms"] ?? 0)} ms`,
      ],
    ),
};

export const queueReads: Attack = {
  name: "queue-reads",
  about: "a lock for which so many wait is read and checked by fifty at once",
  clients: 5_000,
  clientsInTests: 0,
  seconds: 5,
  secondsInTests: 2,
  async run({ urls: [url = ""], clients, seconds }) {
    const client = new Client(url);
    const path = "/v1/locks/queued";
    const holder = expectStatus(await client.post(`${path}/acquire`, { ttlMs: 300_000 }), 200);
    const { fencingToken, leaseId } = JSON.parse(holder.body);
    const waiters = new Client(url);
    for (let i = 0; i < clients; i++) {
      void waiters.post(`${path}/acquire`, { ttlMs: 1_000, waitMs: 25_000, owner: "o".repeat(256) });
      if (i % 2 === 1) await sleep(1);
    }
    await sleep(500);
    const answers: Answer[] = [];
    const endMs = performance.now() + seconds * 1000;
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        while (performance.now() < endMs)
          answers.push(
            i % 2 === 0 ? await client.get(path) : await client.post(`${path}/check`, { fencingToken }),
          );
      }),
    );
    waiters.close();
    await client.post(`${path}/release`, { leaseId });
    await sleep(1_000);
    client.close();
    return {
      "reads per second": answers.length / seconds,
      "longest answer ms": most(answers.map(({ ms }) => ms)),
      ...statuses(answers),
    };
  },
  broken: (figures) =>
    unless([!figures["status 503"] || !!figures["status 200"], "no read was answered with 200"]),
};

export const breaking: Attack = {
  name: "break",
  about:
    "so many hold a lock together, with 2 KB of metadata each; ten read it at once, then an operator breaks it",
  clients: 5_000,
  clientsInTests: 1_000,
  seconds: 0,
  secondsInTests: 0,
  async run({ urls: [url = ""], clients }) {
    const client = new Client(url);
    const path = "/v1/locks/shared";
    const body = { ttlMs: 300_000, mode: "shared", metadata: { text: "m".repeat(2_000) } };
    await inParallel(clients, 16, () => insist(() => client.post(`${path}/acquire`, body), 200));
    const reads = await Promise.all(Array.from({ length: 10 }, () => client.get(path)));
    const broken = await client.ask(
      "POST",
      `${path}/break`,
      { reason: "a test" },
      { authorization: `Bearer ${OPERATOR_KEY}` },
    );
    client.close();
    return {
      "longest read ms": most(reads.map(({ ms }) => ms)),
      "reads failed": reads.filter(({ status }) => status !== 200).length,
      "break ms": broken.ms,
      broken: broken.status === 200 ? JSON.parse(broken.body).broken : 0,
      ...statuses([broken]),
    };
  },
  broken: (figures) =>
    unless(
      [!figures["reads failed"], `${figures["reads failed"]} reads failed`],
      [!!figures["status 200"], "it was not broken"],
    ),
};

export const lockList: Attack = {
  name: "lock-list",
  about: "so many locks with 2 KB of metadata each are held; ten list them at once, 500 a page",
  clients: 20_000,
  clientsInTests: 2_000,
  seconds: 5,
  secondsInTests: 2,
  async run({ urls: [url = ""], clients, seconds }) {
    const client = new Client(url);
    const body = { ttlMs: 300_000, metadata: { text: "m".repeat(2_000) } };
    await inParallel(clients, 32, (i) =>
      insist(() => client.post(`/v1/locks/listed-${i}/acquire`, body), 200),
    );
    const pages: Answer[] = [];
    const endMs = performance.now() + seconds * 1000;
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        let cursor: string | null = null;
        while (performance.now() < endMs) {
          const after: string = cursor === null ? "" : `&cursor=${cursor}`;
          const page: Answer = await client.get(`/v1/locks?prefix=listed-&limit=500${after}`);
          pages.push(page);
          cursor = page.status === 200 ? (JSON.parse(page.body) as { cursor: string | null }).cursor : null;
        }
      }),
    );
    client.close();
    return {
      "pages per second": pages.length / seconds,
      "longest page ms": most(pages.map(({ ms }) => ms)),
      "largest page MB": most(pages.map(({ body }) => body.length)) / 1e6,
      ...statuses(pages),
    };
  },
  broken: (figures) =>
    unless([
      (figures["status 503"] ?? 0) <= (figures["status 200"] ?? 0) / 50,
      `${figures["status 503"]} pages were told 503, ${figures["status 200"] ?? 0} were answered`,
    ]),
};

/** What the instances of a test cluster are started with. */
export const OPERATOR_KEY = "operator-of-the-crowd";
