import { setTimeout as sleep } from "node:timers/promises";
import { type Attack, expectStatus, unless } from "../attack.js";
import { Client } from "../client.js";
import { most, statuses } from "../figures.js";

export const readers: Attack = {
  name: "readers",
  about: "so many shared acquires wait behind one writer, which then releases",
  clients: 5_000,
  clientsInTests: 1_000,
  seconds: 0,
  secondsInTests: 0,
  async run({ urls: [url = ""], clients }) {
    const client = new Client(url);
    const path = "/v1/locks/readers";
    const writer = expectStatus(await client.post(`${path}/acquire`, { ttlMs: 60_000 }), 200);
    const { leaseId } = JSON.parse(writer.body);
    const startMs = performance.now();
    let answered = 0;
    let lastMs = 0;
    const all = Array.from({ length: clients }, async () => {
      const answer = await client.post(`${path}/acquire`, { ttlMs: 30_000, waitMs: WAIT_MS, mode: "shared" });
      answered += 1;
      if (answer.status === 200) lastMs = performance.now();
      return answer;
    });
    // All are in line, or some have been refused, or it takes for ever.
    while (answered === 0 && performance.now() - startMs < JOIN_MS_MAX) {
      const { status, body } = await client.get(path);
      if (status === 200 && JSON.parse(body).waiting >= clients) break;
      await sleep(100);
    }
    const joinedMs = performance.now() - startMs;
    const early = answered;
    const releaseMs = performance.now();
    const released = await client.post(`${path}/release`, { leaseId });
    const answers = await Promise.all(all);
    client.close();
    return {
      "joined ms": joinedMs,
      "answered before the release": early,
      "release ms": released.ms,
      "from the release to the last grant, ms": Math.max(0, lastMs - releaseMs),
      granted: answers.filter(({ status }) => status === 200).length,
      "longest answer ms": most(answers.map(({ ms }) => ms)),
      ...statuses(answers),
    };
  },
  broken: (figures, slack) => {
    const all = figures.granted === total(figures);
    const lastMs = figures["from the release to the last grant, ms"] ?? 0;
    return unless(
      [all, `${figures.granted} of ${total(figures)} readers were granted`],
      [
        lastMs <= SERVED_MS_MAX * slack,
        `the last reader was served ${Math.round(lastMs)} ms after the release`,
      ],
    );
  },
};

function total(figures: Record<string, number>): number {
  return Object.entries(figures).reduce(
    (sum, [name, count]) => sum + (/^(status|no answer)/.test(name) ? count : 0),
    0,
  );
}

const WAIT_MS = 20_000;
const JOIN_MS_MAX = 12_000;
const SERVED_MS_MAX = 3_000;
