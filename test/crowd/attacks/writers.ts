import { setTimeout as sleep } from "node:timers/promises";
import { type Attack, expectStatus, unless } from "../attack.js";
import { Client } from "../client.js";
import { median, most, statuses } from "../figures.js";

export const writers: Attack = {
  name: "writers",
  about: "so many writers stand in line for one lock that is never given back, and their time ends together",
  clients: 5_000,
  clientsInTests: 1_500,
  seconds: 0,
  secondsInTests: 0,
  async run({ urls: [url = ""], clients }) {
    const client = new Client(url);
    const path = "/v1/locks/writers";
    expectStatus(await client.post(`${path}/acquire`, { ttlMs: 60_000 }), 200);
    // How soon a connection is taken in is another matter.
    await client.warm(clients);
    // Together, though not all of them can come in at one moment.
    const startMs = performance.now();
    const waitMs = 4_000 + clients;
    const late: number[] = [];
    const answers = await Promise.all(
      Array.from({ length: clients }, async (_, i) => {
        await sleep(i / 4);
        const mine = Math.max(100, Math.round(startMs + waitMs - performance.now()));
        const answer = await client.post(`${path}/acquire`, { ttlMs: 1_000, waitMs: mine });
        late.push(answer.ms - mine);
        return answer;
      }),
    );
    client.close();
    return { "late ms, median": median(late), "late ms, most": most(late), ...statuses(answers) };
  },
  broken: (figures, slack) =>
    unless(
      [!figures["status 503"], `${figures["status 503"]} of those in line were told 503`],
      [!figures["no answer"], `${figures["no answer"]} of those in line were not answered`],
      [
        (figures["late ms, most"] ?? 0) <= LATE_MS_MAX * slack,
        `one was answered ${Math.round(figures["late ms, most"] ?? 0)} ms after its time`,
      ],
    ),
};

/** A line that moves: each holds for no time. */
export const line: Attack = {
  name: "line",
  about: "so many writers stand in line for one lock; each gives it back at once",
  clients: 5_000,
  clientsInTests: 500,
  seconds: 0,
  secondsInTests: 0,
  async run({ urls: [url = ""], clients }) {
    const client = new Client(url);
    const path = "/v1/locks/line";
    const first = expectStatus(await client.post(`${path}/acquire`, { ttlMs: 60_000 }), 200);
    const startMs = performance.now();
    const late: number[] = [];
    const all = Array.from({ length: clients }, async (_, i) => {
      await sleep(i / 2);
      const answer = await client.post(`${path}/acquire`, { ttlMs: 5_000, waitMs: WAIT_MS });
      if (answer.status === 200)
        await client.post(`${path}/release`, { leaseId: JSON.parse(answer.body).leaseId });
      if (answer.status === 409) late.push(answer.ms - WAIT_MS);
      return answer;
    });
    await sleep(clients / 2 + 1_000);
    await client.post(`${path}/release`, { leaseId: JSON.parse(first.body).leaseId });
    const answers = await Promise.all(all);
    const tookMs = performance.now() - startMs;
    client.close();
    const granted = answers.filter(({ status }) => status === 200).length;
    return {
      granted,
      "handovers per second": (1000 * granted) / tookMs,
      "late ms, most": most(late),
      ...statuses(answers),
    };
  },
  broken: (figures, slack) =>
    unless(
      [!figures["status 503"], `${figures["status 503"]} of those in line were told 503`],
      [!figures["no answer"], `${figures["no answer"]} of those in line were not answered`],
      [
        (figures["late ms, most"] ?? 0) <= LATE_MS_MAX * slack,
        `one was answered ${Math.round(figures["late ms, most"] ?? 0)} ms after its time`,
      ],
    ),
};

const WAIT_MS = 25_000;
const LATE_MS_MAX = 1_000;
