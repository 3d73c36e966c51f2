import { expect, test } from "vitest";
import { type MemberEvent, Quorate } from "../../src/client/quorate.js";
import { systemWorld } from "../../src/client/world.js";
import { OwnPair } from "../helpers/pair.js";
import { startProcess } from "../helpers/process.js";
import { freshName, PATIENT, until } from "../helpers/service.js";

// Watchers of real instances that fail, while members come and go at others.

const pair = new OwnPair();

/** A watcher that asks an instance of its own first, and what it was told. */
async function watching(service: string) {
  const victim = startProcess({
    REDIS_URLS: pair.primaries.urls.join(","),
    QUORATE_KEY_PREFIX: pair.prefix,
    ...PATIENT,
  });
  const urls = [await victim.listening, await pair.one.url()];
  const quorate = new Quorate({ urls }, { ...systemWorld, random: () => 0 });
  const stop = new AbortController();
  const events: string[] = [];
  let ids: readonly string[] | undefined;
  let ringId: string | undefined;
  const told = ({ event, member: { id, incarnation, revision } }: MemberEvent) =>
    `${event} ${id} ${incarnation}.${revision}`;
  const ended = (async () => {
    for await (const list of quorate.watch(service, { signal: stop.signal })) {
      ids = list.members.map(({ id, status }) => `${id} ${status}`);
      ({ ringId } = list);
      events.push(...list.events.map(told));
    }
  })().catch(() => {});
  await until(() => ids !== undefined, "it is told the list");
  return {
    victim,
    events,
    ids: () => ids,
    ringId: () => ringId,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await ended;
      await victim[Symbol.asyncDispose]();
    },
  };
}

const call = (method: string, path: string, body?: object) =>
  pair.other.call(method, `/v1/services/${path}`, body);
const put = (service: string, id: string, more: object = {}) =>
  call("PUT", `${service}/members/${id}`, { address: "10.0.0.1:9000", ttlMs: 60_000, ...more });

async function change(service: string, turn: number): Promise<string[]> {
  const a = (await put(service, "a", { weight: turn + 2 })).body;
  const id = `m${turn}`;
  const m = (await put(service, id)).body;
  await call("PATCH", `${service}/members/${id}`, { status: "draining" });
  await call("DELETE", `${service}/members/${id}`);
  return [
    `updated a ${a.incarnation}.1`,
    `joined ${id} ${m.incarnation}.1`,
    `draining ${id} ${m.incarnation}.2`,
    `left ${id} ${m.incarnation}.2`,
  ];
}

test.each([
  ["killed", "SIGKILL"],
  ["stopped", "SIGTERM"],
] as const)(
  "a watcher whose instance is %s goes on at another one, and misses nothing",
  async (_what, signal) => {
    const service = freshName("search");
    await put(service, "a");
    await using watcher = await watching(service);
    expect(watcher.ids()).toEqual(["a up"]);
    const expected = await change(service, 0);
    watcher.victim.kill(signal);
    for (let turn = 1; turn < 4; turn++) expected.push(...(await change(service, turn)));
    await call("DELETE", `${service}/members/a?restart=true`);
    expected.push(`updated a ${expected.at(-4)?.split(" ")[2]?.split(".")[0]}.2`);
    await until(() => watcher.events.length >= expected.length, "all is told", 30_000);
    expect(watcher.events.toSorted()).toEqual(expected.toSorted());
    // In order for each member.
    const ofA = (events: readonly string[]) => events.filter((event) => event.includes(" a "));
    expect(ofA(watcher.events)).toEqual(ofA(expected));
    const list = (await call("GET", `${service}/members`)).body;
    await until(() => watcher.ringId() === list.ringId, "the ring is that of the list");
    expect(watcher.ids()).toEqual(["a suspect"]);
  },
  60_000,
);
