import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Campaigned, Elections, Term } from "../../src/primitives/election.js";
import { Keys } from "../../src/scripts/keys.js";
import { command } from "../helpers/deployment.js";
import { OwnPair } from "../helpers/pair.js";
import { chosenId, freshName, type Instance, until } from "../helpers/service.js";

// Elections at two instances that do not know of each other.
const pair = new OwnPair();

type Request = Partial<Parameters<Elections["campaign"]>[0]>;

const campaign = (at: Instance, name: string, request: Request = {}): Promise<Campaigned> =>
  at.service.elections.campaign({ name, ttlMs: 10_000, ...request });

async function lead(at: Instance, name: string, request: Request = {}): Promise<Term> {
  const outcome = await campaign(at, name, request);
  if (outcome.kind !== "acquired") throw new Error(`not elected: ${JSON.stringify(outcome)}`);
  return outcome.lease;
}

const look = (name: string) => pair.other.service.elections.inspect(name);
const proclaim = ({ name, leaseId }: Term, value: unknown, at = pair.other) =>
  at.service.elections.proclaim({ name, leaseId, value });
const resign = ({ name, leaseId }: Term) => pair.other.service.elections.resign(name, leaseId);

describe("an election", () => {
  test("has one leader, with a value and a term that only grows", async () => {
    const name = freshName();
    let last = 0;
    for (let i = 0; i < 4; i++) {
      const term = await lead(pair.at(i), name, { candidate: `c${i}`, value: { url: i } });
      expect(term).toMatchObject({ name, candidate: `c${i}`, value: { url: i } });
      expect(term.term).toBeGreaterThan(last);
      last = term.term;
      const state = await look(name);
      expect(state).toMatchObject({
        known: true,
        leader: { candidate: `c${i}`, term: term.term, value: { url: i } },
        waiting: 0,
      });
      expect(JSON.stringify(state)).not.toContain(term.leaseId);
      const refused = await campaign(pair.at(i + 1), name, { candidate: "other" });
      expect(refused).toMatchObject({ kind: "held", holder: { owner: `c${i}` } });
      expect(await resign(term)).toBe(true);
      expect(await resign(term)).toBe(false);
    }
    expect(await look(name)).toMatchObject({ leader: null, known: true, version: "none" });
  });

  test("goes on to the next who stands, in the order in which they came", async () => {
    const name = freshName();
    let term = await lead(pair.one, name, { candidate: "first" });
    const standing = [];
    for (let i = 0; i < 3; i++) {
      standing.push(campaign(pair.at(i), name, { candidate: `next-${i}`, waitMs: 15_000 }));
      await until(async () => (await look(name)).waiting === i + 1, "it stands");
    }
    expect((await look(name)).queue.map(({ owner }) => owner)).toEqual(["next-0", "next-1", "next-2"]);
    for (const [i, next] of standing.entries()) {
      await resign(term);
      const outcome = await next;
      expect(outcome).toMatchObject({ kind: "acquired", lease: { candidate: `next-${i}` } });
      term = (outcome as Extract<Campaigned, { kind: "acquired" }>).lease;
    }
  });

  test("of which no majority name the same leader says that it does not know", async () => {
    const name = freshName();
    const term = await lead(pair.one, name, { candidate: "c" });
    const keys = new Keys(pair.prefix);
    const hold = keys.hold(`election/${name}`);
    await pair.untilOnAll(hold);
    await command(pair.primary(0), "DEL", hold);
    await command(pair.primary(1), "HSET", hold, "lease", "another-lease-that-it-knows-of");
    expect(await look(name)).toMatchObject({ leader: null, known: false, version: "unknown" });
    await command(pair.primary(1), "HSET", hold, "lease", term.leaseId);
    expect(await look(name)).toMatchObject({ leader: { candidate: "c" }, known: true });
    await command(pair.primary(1), "DEL", hold);
    expect(await look(name), "a majority know that there is none").toMatchObject({
      leader: null,
      known: true,
    });
  });

  test("of which no majority answers is no_quorum", async () => {
    await using own = await pair.instance();
    await Promise.all([0, 1].map((place) => pair.primary(place).pause()));
    await expect(own.service.elections.inspect(freshName())).rejects.toMatchObject({ code: "no_quorum" });
  });
});

describe("a leader", () => {
  test("renews its term, and loses it when its time is over", async () => {
    const name = freshName();
    const { leaseId, term } = await lead(pair.one, name, { ttlMs: 10_000, candidate: "c", value: 1 });
    for (let i = 0; i < 4; i++) {
      const ttlMs = 10_000 * (i + 2);
      const renewal = { name, leaseId, ttlMs, ...(i % 2 === 0 && { term }) };
      const renewed = await pair.at(i).service.elections.renew(renewal);
      expect(renewed).toMatchObject({ term, candidate: "c", value: 1 });
      // The primaries that answer first need not be those that have heard of it.
      await until(
        async () => ((await look(name)).leader?.expiresInMs ?? 0) > ttlMs - 10_000,
        "a majority have renewed it",
      );
    }
    const short = await lead(pair.one, freshName(), { ttlMs: 1_000 });
    await until(async () => (await look(short.name)).leader === null, "its time is over");
    const lost = pair.one.service.elections.renew({ ...short });
    await expect(lost).rejects.toMatchObject({ code: "lease_lost" });
    await expect(proclaim(short, 2)).rejects.toMatchObject({ code: "lease_lost" });
  });

  test("proclaims a new value in the same term, at either instance, and keeps it when it renews", async () => {
    const name = freshName();
    const leading = await lead(pair.one, name, { candidate: "c", value: "first" });
    const versions = new Set([(await look(name)).version]);
    for (const [i, value] of ["second", { third: [1, 2] }, null, "fifth"].entries()) {
      expect(await proclaim(leading, value, pair.at(i))).toEqual({ term: leading.term });
      const state = await look(name);
      expect(state).toMatchObject({ leader: { term: leading.term, value, candidate: "c" } });
      versions.add(state.version);
      const renewed = await pair.at(i).service.elections.renew({ ...leading });
      expect(renewed).toMatchObject({ term: leading.term, value });
      expect((await look(name)).version, "a renewal changes nothing").toBe(state.version);
    }
    expect(versions.size, "each has a version of its own").toBe(5);
  });

  test("cannot be spoken for by others", async () => {
    const name = freshName();
    const leading = await lead(pair.one, name, { value: "mine" });
    const stranger = { ...leading, leaseId: chosenId() };
    await expect(proclaim(stranger, "theirs")).rejects.toMatchObject({ code: "lease_lost" });
    expect(await resign(stranger)).toBe(false);
    expect(await look(name)).toMatchObject({ leader: { value: "mine", term: leading.term } });
  });

  test("proclaims many values at once, and one of them stays, the same for all", async () => {
    const name = freshName();
    const leading = await lead(pair.one, name, { value: -1 });
    await Promise.all(Array.from({ length: 12 }, (_, i) => proclaim(leading, i, pair.at(i))));
    const values = await Promise.all(
      Array.from({ length: 6 }, (_, i) => pair.at(i).service.elections.inspect(name)),
    );
    expect(new Set(values.map(({ leader }) => leader?.value)).size).toBe(1);
    expect(values[0]?.leader?.value).not.toBe(-1);
  });

  test("keeps an acknowledged value though one primary missed it, another forgets, and it is repaired", async () => {
    const name = freshName();
    const leading = await lead(pair.one, name, { value: "old" });
    const hold = new Keys(pair.prefix).hold(`election/${name}`);
    const heard = async (place: number) =>
      (await command(pair.primary(place), "HGET", hold, "metadata")) === '"new"';
    await until(async () => {
      // A majority is enough, and on a busy machine one may be left out.
      await proclaim(leading, "new");
      return (await heard(0)) && (await heard(2));
    }, "the first and the last primary have heard of it");
    // The first primary has not heard of it; the last one forgets the term.
    await command(pair.primary(0), "HSET", hold, "metadata", '"old"', "revision", "");
    await command(pair.primary(2), "DEL", hold);
    expect((await pair.one.service.elections.renew({ ...leading })).value).toBe("new");
    await until(async () => (await command(pair.primary(2), "EXISTS", hold)) === 1, "it is repaired");
    expect(await command(pair.primary(2), "HGET", hold, "metadata")).toBe('"new"');
    for (let i = 0; i < 20; i++) expect((await look(name)).leader?.value).toBe("new");
  });
});

/** Counts the scripts that look at a name, while `body` runs. */
async function looksDuring({ service }: Instance, body: () => Promise<unknown>): Promise<number> {
  let looks = 0;
  const undo = service.primaries.all.map((primary) => {
    const original = primary.ask.bind(primary);
    primary.ask = (call, answered) => {
      if (call.script.name === "inspect-name") looks += 1;
      original(call, answered);
    };
    return () => {
      primary.ask = original;
    };
  });
  await body();
  for (const each of undo) each();
  return looks;
}

describe("a thousand who look at an election", () => {
  test("at once share two reads, and all are told", async () => {
    const name = freshName();
    const { term } = await lead(pair.one, name, { value: "v".repeat(4_000) });
    const looks = await looksDuring(pair.other, async () => {
      const states = await Promise.all(Array.from({ length: 1_000 }, () => look(name)));
      expect(states.every(({ leader }) => leader?.term === term)).toBe(true);
    });
    expect(looks, "at three primaries").toBeLessThanOrEqual(2 * 3);
  });

  test("see whatever was acknowledged before they did", async () => {
    const name = freshName();
    const leading = await lead(pair.one, name, { value: 0 });
    let acknowledged = 0;
    let over = false;
    const behind: string[] = [];
    const looking = Array.from({ length: 20 }, async () => {
      while (!over) {
        const before = acknowledged;
        const seen = Number((await look(name)).leader?.value);
        if (seen < before) behind.push(`${before} was acknowledged, ${seen} was seen`);
      }
    });
    for (let value = 1; value <= 30; value++) {
      await proclaim(leading, value, pair.one);
      acknowledged = value;
    }
    over = true;
    await Promise.all(looking);
    expect(behind).toEqual([]);
  });

  test("and wait for its change are told in many turns of the event loop, between which others are served", async () => {
    const name = freshName();
    const leading = await lead(pair.one, name, { value: 0 });
    const { version } = await look(name);
    let turns = 0;
    const toldIn = new Map<number, number>();
    const watching = Array.from({ length: 1_000 }, async () => {
      const deadlineMs = performance.now() + 15_000;
      const state = await pair.other.service.elections.change(name, version, deadlineMs);
      toldIn.set(turns, (toldIn.get(turns) ?? 0) + 1);
      expect(state.leader?.value).toBe(1);
    });
    await sleep(500);
    await proclaim(leading, 1, pair.one);
    let over = false;
    const counting = (async () => {
      while (!over) {
        await turn();
        turns += 1;
      }
    })();
    await Promise.all(watching);
    over = true;
    await counting;
    expect(Math.max(...toldIn.values()), "answers in one turn").toBeLessThanOrEqual(16);
  });
});

describe("who wants to know of a change", () => {
  /** Longer than a test may take: who is only told when its time is over fails it. */
  const FOR_EVER_MS = 60_000;
  const change = (name: string, version: string | null, waitMs: number, signal?: AbortSignal) =>
    pair.other.service.elections.change(name, version, performance.now() + waitMs, signal);

  test("is told at once where it knows another version, or none", async () => {
    const name = freshName();
    await lead(pair.one, name, { candidate: "c" });
    expect((await change(name, null, FOR_EVER_MS)).leader?.candidate).toBe("c");
    expect((await change(name, "none", FOR_EVER_MS)).leader?.candidate).toBe("c");
  });

  test("is told of an election, a new value and a resignation", async () => {
    const name = freshName();
    let { version } = await look(name);
    let leading: Term | null = null;
    for (const act of [
      async () => {
        leading = await lead(pair.one, name, { candidate: "c", value: 1 });
      },
      () => proclaim(leading as Term, 2),
      () => resign(leading as Term),
    ]) {
      const waiting = change(name, version, FOR_EVER_MS);
      await sleep(50);
      await act();
      const state = await waiting;
      expect(state.version).not.toBe(version);
      version = state.version;
    }
    expect(version).toBe("none");
  });

  test("in vain is told the same again when the time is over", async () => {
    const name = freshName();
    await lead(pair.one, name);
    const { version } = await look(name);
    const beganMs = performance.now();
    expect((await change(name, version, 400)).version).toBe(version);
    expect(performance.now() - beganMs).toBeGreaterThan(390);
  });

  test("and goes is let go at once", async () => {
    const name = freshName();
    const { version } = await look(name);
    const client = new AbortController();
    const waiting = change(name, version, FOR_EVER_MS, client.signal);
    await sleep(50);
    client.abort();
    expect((await waiting).version).toBe(version);
  });

  test("is one of many that look together", async () => {
    const name = freshName();
    const leading = await lead(pair.one, name, { ttlMs: 60_000 });
    const { version } = await look(name);
    const waiting = Array.from({ length: 100 }, () => change(name, version, FOR_EVER_MS));
    await sleep(1_000);
    const looks = await looksDuring(pair.other, () => sleep(1_000));
    expect(looks, "looks of a second, at three primaries").toBeLessThan(3 * 12);
    await resign(leading);
    for (const state of await Promise.all(waiting)) expect(state.leader).toBeNull();
  });
});
