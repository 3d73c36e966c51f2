import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../helpers/primaries.js";
import { type Attack, unless } from "../attack.js";
import { Client } from "../client.js";
import type { Figures } from "../figures.js";
import { type Crowded, startCrowded } from "../instance.js";

export const restart: Attack = {
  name: "restart",
  about:
    "two instances are restarted twice each by SIGTERM under the load of so many clients that follow /readyz",
  clients: 16,
  clientsInTests: 8,
  /** How long the port stays open after the signal. */
  seconds: 1,
  secondsInTests: 0.5,
  alone: true,
  async run({ primaries, clients, seconds }) {
    const sites = await Promise.all([0, 1].map(() => startSite(primaries, seconds * 1000)));
    let over = false;
    const counts: Figures = { pairs: 0, errors: 0, "waiters served": 0, "waiters told shutting_down": 0 };
    const add = (name: string) => {
      counts[name] = (counts[name] ?? 0) + 1;
    };
    const isOver = () => over;
    const load = [
      ...sites.map((site) => followReadiness(site, isOver)),
      ...Array.from({ length: clients }, (_, place) => work(sites, place, isOver, add)),
      ...Array.from({ length: WAITERS }, (_, place) => wait(sites, place, isOver, add)),
    ];
    await sleep(500);
    for (let round = 0; round < 2; round++) {
      for (const site of sites) {
        await site.instance.stop();
        site.instance = await startCrowded(primaries, site.env);
        while (!site.ready) await sleep(20);
        await sleep(300);
      }
    }
    over = true;
    await Promise.all(load);
    for (const { instance, client } of sites) {
      client.close();
      await instance[Symbol.asyncDispose]();
    }
    const sum = (of: (client: Client) => number) => sites.reduce((all, { client }) => all + of(client), 0);
    return { ...counts, resets: sum(({ resets }) => resets), refused: sum(({ refused }) => refused) };
  },
  broken: (figures) =>
    unless(
      [!figures.resets, `${figures.resets} connections were reset`],
      [!figures.refused, `${figures.refused} connections were refused to clients that follow /readyz`],
      [!figures.errors, `${figures.errors} requests failed`],
      [(figures.pairs ?? 0) > 100, "there was no load"],
    ),
};

interface Site {
  readonly env: Record<string, string>;
  readonly client: Client;
  instance: Crowded;
  ready: boolean;
}

/** On a port of its own, which it keeps. */
async function startSite(primaries: readonly string[], drainDelayMs: number): Promise<Site> {
  const env = { PORT: String(await freePort()), QUORATE_DRAIN_DELAY_MS: String(drainDelayMs) };
  const instance = await startCrowded(primaries, env);
  return { env, instance, client: new Client(instance.url), ready: true };
}

/** As a load balancer does. */
async function followReadiness(site: Site, isOver: () => boolean): Promise<void> {
  const client = new Client(site.instance.url, 1_000);
  while (!isOver()) {
    site.ready = (await client.get("/readyz")).status === 200;
    await sleep(READY_EVERY_MS);
  }
  client.close();
}

async function work(sites: Site[], place: number, isOver: () => boolean, add: (name: string) => void) {
  for (let turn = 0; !isOver(); turn++) {
    const client = await chosen(sites, place + turn);
    // Each once: one whose release failed is held for a while.
    const path = `/v1/locks/restart-${place}-${turn}`;
    const { status, body } = await client.post(`${path}/acquire`, { ttlMs: 10_000 });
    if (status !== 200) {
      add("errors");
      add(`acquire ${status} ${codeOf(body)}`);
      await sleep(10);
      continue;
    }
    const released = await (await chosen(sites, place + turn + 1)).post(`${path}/release`, {
      leaseId: JSON.parse(body).leaseId,
    });
    if (released.status !== 200) {
      add("errors");
      add(`release ${released.status} ${codeOf(released.body)}`);
    } else add("pairs");
    await sleep(2);
  }
}

/** Stands in line with a leaseId of its own, and goes on at the other instance where one stops. */
async function wait(sites: Site[], place: number, isOver: () => boolean, add: (name: string) => void) {
  const path = "/v1/locks/restart-line";
  let leaseId = ownId();
  for (let turn = 0; !isOver(); turn++) {
    const client = await chosen(sites, place + turn);
    const { status, body } = await client.post(`${path}/acquire`, { ttlMs: 10_000, waitMs: 20_000, leaseId });
    if (status === 503 && codeOf(body) === "shutting_down") {
      add("waiters told shutting_down");
      continue;
    }
    if (status !== 200) {
      add("errors");
      add(`wait ${status} ${codeOf(body)}`);
    } else {
      add("waiters served");
      await sleep(20);
      await (await chosen(sites, place + turn)).post(`${path}/release`, { leaseId });
    }
    leaseId = ownId();
  }
}

/** One that is ready, in turn. */
async function chosen(sites: Site[], turn: number): Promise<Client> {
  for (;;) {
    const site = [sites[turn % 2], sites[(turn + 1) % 2]].find((each) => each?.ready);
    if (site) return site.client;
    await sleep(10);
  }
}

function ownId(): string {
  return randomBytes(24).toString("base64url");
}

function codeOf(body: string): string {
  return /"code":"(\w+)"/.exec(body)?.[1] ?? body.slice(0, 60);
}

const WAITERS = 20;
const READY_EVERY_MS = 100;
