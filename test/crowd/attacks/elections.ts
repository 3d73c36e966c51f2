import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Attack, insist, unless } from "../attack.js";
import { Client } from "../client.js";
import { most, statuses } from "../figures.js";

export const watchers: Attack = {
  name: "watchers",
  about:
    "so many wait for a change of one election and as many have its events; the leader proclaims five times a second",
  clients: 1_000,
  clientsInTests: 500,
  seconds: 5,
  secondsInTests: 3,
  // More at once than can be done: what is offered beyond that is shed, a bystander's acquires as well.
  overloads: true,
  async run({ urls: [url = ""], clients, seconds }) {
    const client = new Client(url);
    const path = "/v1/elections/watched";
    const value = (turn: number) => ({ turn, text: "v".repeat(4_000) });
    const leader = await insist(
      () => client.post(`${path}/campaign`, { ttlMs: 300_000, value: value(0) }),
      200,
    );
    const { leaseId } = JSON.parse(leader.body);
    let over = false;
    let changes = 0;
    const asked = Array.from({ length: clients }, async () => {
      let etag = "";
      const counts = { status: 200 };
      while (!over) {
        const answer = await client.ask("GET", `${path}?waitMs=2000`, undefined, {
          "if-none-match": etag || '"none"',
        });
        counts.status = answer.status;
        etag = answer.etag || etag;
        if (answer.status === 200) changes += 1;
        if (answer.status !== 200 && answer.status !== 304) await sleep(200);
      }
      return counts;
    });
    const events: { count: number; closed: boolean; close(): void }[] = [];
    for (let i = 0; i < clients; i++) {
      events.push(stream(url, `${path}/events`));
      if (i % 20 === 19) await sleep(5);
    }
    await sleep(1_000);
    const proclaimedMs: number[] = [];
    let failed = 0;
    const endMs = performance.now() + seconds * 1000;
    for (let turn = 1; performance.now() < endMs; turn++) {
      const { status, ms } = await client.post(`${path}/proclaim`, { leaseId, value: value(turn) });
      proclaimedMs.push(ms);
      if (status !== 200) failed += 1;
      await sleep(200);
    }
    over = true;
    const last = await Promise.all(asked);
    const figures = {
      proclaimed: proclaimedMs.length,
      "proclaims failed": failed,
      "longest proclaim ms": most(proclaimedMs),
      "answers with the election": changes,
      "streams without an event": events.filter(({ count }) => count === 0).length,
      "streams closed": events.filter(({ closed }) => closed).length,
      "events of a stream, most": most(events.map(({ count }) => count)),
      ...statuses(last),
    };
    for (const each of events) each.close();
    client.close();
    return figures;
  },
  broken: (figures) =>
    unless(
      [
        !figures["proclaims failed"],
        `${figures["proclaims failed"]} of ${figures.proclaimed} proclaims failed`,
      ],
      [!figures["streams closed"], `${figures["streams closed"]} streams were closed`],
      [!figures["streams without an event"], `${figures["streams without an event"]} streams had no event`],
    ),
};

/** Counts the events of a stream. */
function stream(url: string, path: string) {
  const { hostname, port, host } = new URL(url);
  const seen = { count: 0, closed: false, close: () => void socket.destroy() };
  const socket = connect({ host: hostname, port: Number(port) }, () => {
    socket.write(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\naccept: text/event-stream\r\n\r\n`);
  });
  socket.setEncoding("latin1").on("data", (text: string) => {
    seen.count += text.split("\ndata:").length - 1;
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    seen.closed = true;
  });
  return seen;
}

export const oneId: Attack = {
  name: "one-id",
  about: "so many register one member id at once, and send heartbeats for it",
  clients: 1_000,
  clientsInTests: 0,
  seconds: 0,
  secondsInTests: 0,
  async run({ urls: [url = ""], clients }) {
    const client = new Client(url);
    const path = "/v1/services/contested/members/one";
    const answers = await Promise.all(
      Array.from({ length: clients }, async (_, i) => {
        const body = { address: `10.0.0.1:${i}`, metadata: { text: "m".repeat(2_000) } };
        const answer = await client.ask("PUT", path, body);
        await client.post(`${path}/heartbeat`, {});
        return answer;
      }),
    );
    client.close();
    return { "longest answer ms": most(answers.map(({ ms }) => ms)), ...statuses(answers) };
  },
  broken: (figures) => unless([!figures["no answer"], `${figures["no answer"]} were not answered`]),
};
