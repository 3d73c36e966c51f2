import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SCRIPTS, type Script } from "../../src/scripts/scripts.js";
import {
  acquire,
  allTakePart,
  command,
  release,
  shown,
  storedField,
  untilShown,
} from "../helpers/deployment.js";
import { startPrimaries, type TestPrimaries, type TestPrimary } from "../helpers/primaries.js";
import { chosenId, freshName, type Instance, ownPrefix, startInstance } from "../helpers/service.js";

let primaries: TestPrimaries;

beforeAll(async () => {
  primaries = await startPrimaries(3);
});
afterAll(() => primaries.close());

const at = (place: number): TestPrimary => primaries.all[place] as TestPrimary;

/** Everything below a prefix on one primary, as text, but for how far the instance has swept. */
async function contentOf(primary: TestPrimary, prefix: string): Promise<string> {
  const text = `
    local all = {}
    local function note(key, value) all[#all + 1] = key .. ' ' .. redis.sha1hex(value) end
    for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
      if key ~= ARGV[1] .. 'configuration' then note(key, redis.call('DUMP', key))
      else
        local fields = redis.call('HGETALL', key)
        for i = 1, #fields, 2 do
          if not string.match(fields[i], '^swe') then note(key .. ' ' .. fields[i], fields[i + 1]) end
        end
      end
    end
    table.sort(all)
    return table.concat(all, '\\n')`;
  return String(await command(primary, "EVAL", text, 0, prefix));
}

describe("a call with another stamp than the one that is stored", () => {
  let instance: Instance;
  let stamps: Record<string, string>;

  beforeAll(async () => {
    instance = await startInstance(primaries.urls);
    await acquire(instance, "held", 60_000);
    await instance.call("PUT", "/v1/services/s/members/a", { address: "a:1", ttlMs: 60_000 });
    const stored = (place: number, field: string) => storedField(at(place), instance.prefix, field);
    const own = (await stored(0, "stamp")) as string;
    stamps = {
      "of an older configuration": own.replace(/^1:/, "0:"),
      "of a newer configuration": own.replace(/^1:/, "2:"),
      "of another configuration of that version": own.replace(/^1:[^:]+/, "1:another"),
      "of another primary": (await stored(1, "stamp")) as string,
      "of one that is being copied to": `copying:${own}`,
      "of one that stores nothing": "",
    };
  });
  afterAll(() => instance[Symbol.asyncDispose]());

  /** Runs a script with keys that there are and arguments that would do something. */
  async function run(script: Script, stamp: string): Promise<unknown> {
    const { prefix } = instance;
    const keys = [
      `${prefix}configuration`,
      `${prefix}hold/lock/held`,
      `${prefix}counters`,
      `${prefix}counters/older`,
      `${prefix}members/s`,
      `${prefix}member/s/a`,
    ];
    const args = [stamp, ...Array.from({ length: 10 }, () => "1")];
    return command(at(0), "EVAL", script.text, keys.length, ...keys, ...args);
  }

  test.each(Object.values(SCRIPTS))(
    "of $name is refused, and has read and written nothing",
    async (script) => {
      const before = await contentOf(at(0), instance.prefix);
      for (const [which, stamp] of Object.entries(stamps)) {
        await expect(run(script, stamp), which).rejects.toThrow(/^FENCED/);
      }
      expect(await contentOf(at(0), instance.prefix)).toBe(before);
    },
  );

  test("with the stored one it would have run", async () => {
    const own = (await storedField(at(0), instance.prefix, "stamp")) as string;
    expect(await run(SCRIPTS["summarize-state"], own)).toHaveLength(5);
  });

  test("a primary that stores nothing refuses every stamp, and none", async () => {
    const key = `${ownPrefix()}configuration`;
    for (const stamp of ["1:nonce:id", ""]) {
      await expect(command(at(0), "EVAL", SCRIPTS["scan-set"].text, 1, key, stamp)).rejects.toThrow(
        /^FENCED/,
      );
    }
  });
});

describe("while primaries are in quarantine", () => {
  let instance: Instance;
  let held: { leaseId: string; fencingToken: number };
  const chosen = { leaseId: chosenId(), ttlMs: 60_000 };
  const QUARANTINE_MS = 120_000;

  /** Puts a primary into quarantine, as `admit` does. */
  async function quarantine(primary: TestPrimary): Promise<void> {
    const [seconds] = (await command(primary, "TIME")) as [string];
    const until = Number(seconds) * 1000 + QUARANTINE_MS;
    await command(primary, "HSET", `${instance.prefix}configuration`, "quarantine_until", String(until));
  }

  beforeAll(async () => {
    instance = await startInstance(primaries.urls);
    held = await acquire(instance, "held", 60_000);
    await instance.call("POST", "/v1/locks/chosen/acquire", chosen);
    await instance.call("PUT", "/v1/services/s/members/a", { address: "a:1", ttlMs: 60_000 });
    await Promise.all(primaries.all.map(quarantine));
  });
  afterAll(() => instance[Symbol.asyncDispose]());

  test("no new lease is granted, and the answer says when to ask again", async () => {
    const { status, body } = await instance.call("POST", `/v1/locks/${freshName()}/acquire`, {
      ttlMs: 1_000,
    });
    expect({ status, ...body }).toMatchObject({ status: 503, code: "no_quorum" });
    expect(body.detail).toContain("grant no new lease");
    expect(body.retryAfterMs).toBeGreaterThan(QUARANTINE_MS - 10_000);
    expect(body.retryAfterMs).toBeLessThanOrEqual(QUARANTINE_MS + 1_000);
  });

  test("what was refused left no hold and no counter", async () => {
    const name = freshName();
    await acquire(instance, name);
    for (const one of primaries.all) {
      expect(await command(one, "EXISTS", `${instance.prefix}hold/lock/${name}`)).toBe(0);
      expect(await command(one, "HEXISTS", `${instance.prefix}counters`, `lock/${name}`)).toBe(0);
    }
  });

  test("a name that is held is told to be held", async () => {
    expect(await acquire(instance, "held")).toMatchObject({ status: 409, code: "held" });
  });

  test("a lease of before is renewed", async () => {
    const { leaseId, fencingToken } = held;
    for (const token of [{ fencingToken }, {}]) {
      const { status, body } = await instance.call("POST", "/v1/locks/held/renew", {
        leaseId,
        ttlMs: 60_000,
        ...token,
      });
      expect(status).toBe(200);
      expect(body.fencingToken).toBe(fencingToken);
    }
  });

  test("a repeated request gets the lease that it got before", async () => {
    const { status, body } = await instance.call("POST", "/v1/locks/chosen/acquire", chosen);
    expect(status).toBe(200);
    expect(body.leaseId).toBe(chosen.leaseId);
  });

  test("a lease of before is released, and its name is granted to nobody yet", async () => {
    expect(await release(instance, "chosen", chosen.leaseId)).toBe(true);
    expect((await acquire(instance, "chosen")).status).toBe(503);
    expect((await instance.call("GET", "/v1/locks/chosen")).body.holders).toEqual([]);
  });

  test("members register, are kept alive, listed and leave", async () => {
    const members = "/v1/services/s/members";
    expect((await instance.call("PUT", `${members}/b`, { address: "b:1", ttlMs: 60_000 })).status).toBe(201);
    expect((await instance.call("POST", `${members}/a/heartbeat`)).status).toBe(200);
    expect((await instance.call("GET", members)).body.members).toHaveLength(2);
    expect((await instance.call("DELETE", `${members}/b`)).body).toEqual({ left: true });
    expect((await instance.call("GET", "/v1/services/s/owner?key=k")).body.owner.id).toBe("a");
  });

  test("they are shown to be, with the time that is left", async () => {
    const { primaries: seen, quorum } = await untilShown(
      instance,
      (now) => now.primaries.every(({ state }) => state === "quarantined"),
      "all are in quarantine",
    );
    expect(quorum).toBe(true);
    for (const { quarantineMs, reason } of seen) {
      expect(quarantineMs).toBeGreaterThan(QUARANTINE_MS - 10_000);
      expect(reason).toBeNull();
    }
  });

  test("one that is not makes no majority; two are enough", async () => {
    const lift = (primary: TestPrimary) =>
      command(primary, "HSET", `${instance.prefix}configuration`, "quarantine_until", "0");
    await lift(at(0));
    expect((await acquire(instance, "fresh")).status).toBe(503);
    await lift(at(1));
    expect((await acquire(instance, "fresh")).status).toBe(200);
    await untilShown(
      instance,
      (now) => now.primaries.map(({ state }) => state).join() === "up,up,quarantined",
      "they are shown to be up",
    );
  });
});

test("a primary whose connection is kept while it forgets is not asked for votes again before it is readmitted", async () => {
  await using instance = await startInstance(primaries.urls);
  const { prefix } = instance;
  await acquire(instance, "held", 1_000);
  await command(at(1), "DEL", `${prefix}configuration`);
  // Its stamp is gone, its holds and counters are not: nothing of them counts until they were copied.
  await instance.call("GET", "/v1/locks/held");
  await allTakePart(instance, 1);
  expect((await shown(instance)).primaries[1]?.state).toBe("quarantined");
  expect(await command(at(1), "EXISTS", `${prefix}hold/lock/held`), "holds are not trusted").toBe(0);
});
