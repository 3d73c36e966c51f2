import { type Attack, expectStatus, inParallel, insist, unless } from "../attack.js";
import { type Answer, Client } from "../client.js";
import { most, statuses } from "../figures.js";
import { peakMb, residentMb } from "../instance.js";
import { register } from "./members.js";

export const owners: Attack = {
  name: "owners",
  about: "79 KB: so many keys with two replicas, where the other zone has hardly a point of the ring",
  clients: 10_000,
  clientsInTests: 1_000,
  seconds: 0,
  secondsInTests: 0,
  async run({ urls: [url = ""], clients }) {
    const client = new Client(url);
    await register(client, "uneven", 10, (i) => ({
      address: `10.0.0.1:${i}`,
      weight: 256,
      zone: "a",
      ttlMs: 300_000,
    }));
    await insist(
      () =>
        client.ask("PUT", "/v1/services/uneven/members/other", {
          address: "10.0.0.1:80",
          weight: 0.001,
          zone: "b",
          ttlMs: 300_000,
        }),
      200,
      201,
    );
    const keys = keysOf(clients);
    // The ring is built by whoever asks first.
    expectStatus(await client.get("/v1/services/uneven/owner?key=a&replicas=2"), 200);
    const answer = await client.post("/v1/services/uneven/owners", { keys, replicas: 2 });
    client.close();
    return { "answer ms": answer.ms, "answer MB": answer.body.length / 1e6, ...statuses([answer]) };
  },
  broken: (figures, slack) =>
    unless(
      [!!figures["status 200"], "it was not answered with 200"],
      [
        (figures["answer ms"] ?? 0) <= 1_000 * slack,
        `it took ${Math.round(figures["answer ms"] ?? 0)} ms to be answered`,
      ],
    ),
};

export const wideOwners: Attack = {
  name: "wide-owners",
  about: "so many at once ask for owners, each for as many keys x replicas as there may be",
  clients: 8,
  clientsInTests: 8,
  seconds: 0,
  secondsInTests: 0,
  async run({ urls: [url = ""], pids: [pid = 0], clients }) {
    const client = new Client(url);
    await register(
      client,
      "wide",
      200,
      (i) => ({ address: `10.0.0.1:${i}`, zone: `z${i % 5}`, ttlMs: 300_000 }),
      ID_LENGTH_MAX,
    );
    const before = residentMb(pid);
    const ask = (count: number, replicas: number): Promise<Answer[]> =>
      Promise.all(
        Array.from({ length: clients }, () =>
          client.post("/v1/services/wide/owners", { keys: keysOf(count), replicas }),
        ),
      );
    // Beyond what is allowed, this is refused; else at the bound.
    const beyond = await ask(10_000, 64);
    const refused = beyond.every(({ status }) => status === 400);
    const at = refused ? await ask(781, 64) : [];
    const asked = refused ? at : beyond;
    const after = peakMb(pid);
    client.close();
    return {
      "640,000 refused": beyond.filter(({ status }) => status === 400).length,
      "longest answer ms": most(asked.map(({ ms }) => ms)),
      "largest answer MB": most(asked.map(({ body }) => body.length)) / 1e6,
      "memory before MB": before,
      "memory at most MB": after,
      ...statuses(asked),
    };
  },
  broken: (figures) =>
    unless(
      [
        (figures["largest answer MB"] ?? 0) <= 20,
        `an answer has ${Math.round(figures["largest answer MB"] ?? 0)} MB`,
      ],
      [
        (figures["memory at most MB"] ?? 0) - (figures["memory before MB"] ?? 0) <= 500,
        `memory grew to ${Math.round(figures["memory at most MB"] ?? 0)} MB`,
      ],
    ),
};

export const longKeys: Attack = {
  name: "long-keys",
  about: "so many at once ask for the owners of 1,900 keys of 1 KB each: bodies of 2 MB",
  clients: 30,
  clientsInTests: 0,
  seconds: 0,
  secondsInTests: 0,
  async run({ urls: [url = ""], clients }) {
    const client = new Client(url);
    await register(client, "long", 10, (i) => ({ address: `10.0.0.1:${i}`, ttlMs: 300_000 }));
    const keys = Array.from({ length: 1_900 }, (_, i) => `${i}-`.padEnd(1_024, "k"));
    const answers: Answer[] = [];
    for (let round = 0; round < 3; round++) {
      const ask = () => client.post("/v1/services/long/owners", { keys });
      answers.push(...(await Promise.all(Array.from({ length: clients }, ask))));
    }
    client.close();
    return { "longest answer ms": most(answers.map(({ ms }) => ms)), ...statuses(answers) };
  },
  broken: (figures) => unless([!figures["no answer"], `${figures["no answer"]} were not answered`]),
};

export const services: Attack = {
  name: "services",
  about: "so many services of ten members of weight 25 are asked for an owner once, then all members leave",
  clients: 600,
  clientsInTests: 200,
  seconds: 0,
  secondsInTests: 0,
  async run({ urls: [url = ""], pids: [pid = 0], clients }) {
    const client = new Client(url);
    const before = residentMb(pid);
    const member = (i: number) => `/v1/services/asked-${Math.floor(i / MEMBERS)}/members/m-${i % MEMBERS}`;
    await inParallel(clients * MEMBERS, 16, (i) =>
      insist(
        () => client.ask("PUT", member(i), { address: "10.0.0.1:80", weight: 25, ttlMs: 300_000 }),
        200,
        201,
      ),
    );
    const registered = residentMb(pid);
    await inParallel(clients, 4, (i) => insist(() => client.get(`/v1/services/asked-${i}/owner?key=a`), 200));
    const asked = residentMb(pid);
    await inParallel(clients * MEMBERS, 16, (i) => insist(() => client.ask("DELETE", member(i)), 200));
    client.close();
    return {
      "memory before MB": before,
      "memory registered MB": registered,
      "memory asked MB": asked,
      "memory when all have left MB": residentMb(pid),
    };
  },
  broken: (figures) => {
    const grown = (figures["memory asked MB"] ?? 0) - (figures["memory registered MB"] ?? 0);
    return unless([grown <= 150, `memory grew by ${Math.round(grown)} MB for services that were asked once`]);
  },
};

/** 79 KB of JSON, ten thousand of them. */
function keysOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `k${i}`);
}

const MEMBERS = 10;
const ID_LENGTH_MAX = 128;
