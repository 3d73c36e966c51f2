import { setTimeout as sleep } from "node:timers/promises";
import { type Attack, insist, unless } from "../attack.js";
import { type Answer, Client } from "../client.js";
import { most, statuses } from "../figures.js";

const LIMIT = 1_000;
const A_LEASE = 100;

export const permits: Attack = {
  name: "permits",
  about: "so many acquires at once of a semaphore of 1,000 permits that is full",
  clients: 200,
  clientsInTests: 200,
  seconds: 0,
  secondsInTests: 0,
  async run({ urls: [url = ""], clients }) {
    const client = new Client(url);
    await fill(client, "full");
    const answers = await Promise.all(
      Array.from({ length: clients }, () =>
        client.post("/v1/semaphores/full/acquire", { limit: LIMIT, ttlMs: 10_000 }),
      ),
    );
    client.close();
    return { "longest answer ms": most(answers.map(({ ms }) => ms)), ...statuses(answers) };
  },
  broken: (figures) =>
    unless([!figures["status 503"] && !figures["no answer"], `${figures["status 503"]} were told 503`]),
};

export const permitLine: Attack = {
  name: "permit-line",
  about: "so many wait in line for a semaphore of 1,000 permits, which become free a hundred at a time",
  clients: 1_000,
  clientsInTests: 400,
  seconds: 0,
  secondsInTests: 0,
  async run({ urls: [url = ""], clients }) {
    const client = new Client(url);
    const path = "/v1/semaphores/lined";
    const leases = await fill(client, "lined");
    const order: number[] = [];
    const all: Promise<Answer>[] = [];
    const wait = async (place: number): Promise<Answer> => {
      const answer = await client.post(`${path}/acquire`, { limit: LIMIT, ttlMs: 60_000, waitMs: 25_000 });
      if (answer.status === 200) order.push(place);
      return answer;
    };
    for (let place = 0; place < clients; place++) {
      all.push(wait(place));
      // So that the order of arrival is known.
      await sleep(2);
    }
    await sleep(1_000);
    const startMs = performance.now();
    for (const leaseId of leases) {
      await client.post(`${path}/release`, { leaseId });
      await sleep(300);
    }
    const answers = await Promise.all(all);
    const tookMs = performance.now() - startMs;
    client.close();
    return {
      granted: order.length,
      "served ms": tookMs,
      "places out of turn, most": most(order.map((place, turn) => Math.abs(place - turn))),
      ...statuses(answers),
    };
  },
  broken: (figures) =>
    unless(
      [
        figures.granted === figures["status 200"] && !figures["status 503"],
        `${figures["status 503"]} were told 503`,
      ],
      [!figures["no answer"], `${figures["no answer"]} were not answered`],
      [
        (figures["places out of turn, most"] ?? 0) <= 2 * A_LEASE,
        `one was served ${figures["places out of turn, most"]} places out of turn`,
      ],
      [!figures["status 409"], `${figures["status 409"]} were not served in 25 s`],
    ),
};

export const permitReads: Attack = {
  name: "permit-reads",
  about: "so many at once read a semaphore of 1,000 holders with 2 KB of metadata each",
  clients: 20,
  clientsInTests: 20,
  seconds: 0,
  secondsInTests: 0,
  async run({ urls: [url = ""], clients }) {
    const client = new Client(url);
    for (let i = 0; i < LIMIT; i++) {
      const body = { limit: LIMIT, ttlMs: 300_000, metadata: { text: "m".repeat(2_000) } };
      await insist(() => client.post("/v1/semaphores/read/acquire", body), 200);
    }
    const answers: Answer[] = [];
    for (let round = 0; round < 3; round++) {
      answers.push(
        ...(await Promise.all(Array.from({ length: clients }, () => client.get("/v1/semaphores/read")))),
      );
    }
    client.close();
    return {
      "longest answer ms": most(answers.map(({ ms }) => ms)),
      "largest answer MB": most(answers.map(({ body }) => body.length)) / 1e6,
      ...statuses(answers),
    };
  },
  broken: (figures) => unless([!figures["status 503"], `${figures["status 503"]} were told 503`]),
};

/** Takes all permits; the leases. */
async function fill(client: Client, name: string): Promise<string[]> {
  const leases: string[] = [];
  for (let taken = 0; taken < LIMIT; taken += A_LEASE) {
    const body = { limit: LIMIT, permits: A_LEASE, ttlMs: 300_000 };
    const answer = await insist(() => client.post(`/v1/semaphores/${name}/acquire`, body), 200);
    leases.push(JSON.parse(answer.body).leaseId);
  }
  return leases;
}
