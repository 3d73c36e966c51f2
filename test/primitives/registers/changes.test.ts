import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/clock.js";
import { problemExamples } from "../../../src/http/problem.js";
import { systemIds } from "../../../src/ids.js";
import { Changes } from "../../../src/primitives/registers/changes.js";
import type { Decision, State } from "../../../src/primitives/registers/proposals.js";
import { type Connect, connectByIoredis } from "../../../src/redis/connection.js";
import { Keys } from "../../../src/scripts/keys.js";
import { registerName } from "../../../src/scripts/register-kinds.js";
import { SCRIPTS } from "../../../src/scripts/scripts.js";
import { command } from "../../helpers/deployment.js";
import { Pair } from "../../helpers/pair.js";
import { freshName } from "../../helpers/service.js";

const pair = new Pair();
const wordsOf = (code: "contended" | "outcome_unknown") => {
  const { detail, status } = (problemExamples()[code] as { value: { detail: string; status: number } }).value;
  return { detail, status, code };
};
const write = (json: string) => ({ json, ttlMs: null });

/** A world in which the replies to the next so many `accept-register` of each primary are lost. */
function losing() {
  const left = { perPrimary: 0, thenAll: false };
  const connect: Connect = (url, options) => {
    const real = connectByIoredis(url, options);
    let lost = 0;
    return {
      get ready() {
        return real.ready;
      },
      onChange: (listener) => real.onChange(listener),
      close: () => real.close(),
      call: async (name, ...args) => {
        if (left.thenAll && lost > 0) throw new Error("the connection is cut");
        const reply = await real.call(name, ...args);
        if (name !== "EVALSHA" || args[0] !== SCRIPTS["accept-register"].sha1) return reply;
        if (lost >= left.perPrimary) return reply;
        lost += 1;
        throw new Error("the reply was lost");
      },
    };
  };
  return { connect, left };
}

describe("a change", () => {
  test("whose replies were lost is made once, and told as if they had not been", async () => {
    const { connect, left } = losing();
    await using instance = await pair.instance({ world: { connect } });
    const key = freshName();
    left.perPrimary = 1;
    const answer = await instance.call("PUT", `/v1/registers/${key}`, { value: 1 });
    expect(answer).toMatchObject({ status: 201, body: { version: 1 } });
    expect((await pair.one.call("GET", `/v1/registers/${key}`)).body.version).toBe(1);
  });

  test("whose outcome stays unknown says so, and is made once where it is sent again with its key", async () => {
    const { connect, left } = losing();
    await using instance = await pair.instance({ world: { connect } });
    const key = freshName();
    Object.assign(left, { perPrimary: 1, thenAll: true });
    const headers = { "idempotency-key": "c7b1" };
    const put = (at = pair.one) => at.call("PUT", `/v1/registers/${key}`, { value: 1 }, headers);
    expect((await put(instance)).body).toMatchObject(wordsOf("outcome_unknown"));
    expect(await put()).toMatchObject({ status: 201, body: { version: 1 } });
    expect((await pair.one.call("GET", `/v1/registers/${key}`)).body.version).toBe(1);
  });

  test("that comes too late again and again ends with 503, and with nothing changed", async () => {
    const key = freshName();
    const name = registerName("value", "default", key);
    await pair.one.service.registers.put(name, write("1"));
    const far = `fffffffffffe:${"f".repeat(24)}`;
    for (const primary of pair.primaries.all)
      await command(primary, "SETRANGE", new Keys(pair.prefix).register(name), 0, far);
    const answer = await pair.one.call("PUT", `/v1/registers/${key}`, { value: 2 });
    expect(answer.body).toMatchObject(wordsOf("contended"));
    expect(answer.headers.get("retry-after")).toBe("1");
    expect((await pair.one.call("GET", `/v1/registers/${key}`)).body.value).toBe(1);
  });

  test("gives up its place in the queue when its client has gone, and only then", async () => {
    const name = registerName("value", "default", freshName());
    const { registers } = pair.one.service;
    const gone = new AbortController();
    const first = registers.put(name, write("1"));
    const second = registers.put(name, write("2"), { signal: gone.signal });
    const third = registers.put(name, write("3"));
    gone.abort(new Error("gone"));
    await expect(second).rejects.toThrow("gone");
    expect(await first).toMatchObject({ number: 1 });
    expect(await third).toMatchObject({ number: 2 });
  });

  test("of one register is made by many at once, each once", async () => {
    const name = registerName("value", "default", freshName());
    const add = (i: number) =>
      pair.at(i).service.registers.changes.change(name, ({ version }) => {
        const sum = Number(version?.json ?? 0) + 1;
        return { kind: "write", ...write(String(sum)), result: sum, told: "" };
      });
    const made = await Promise.all(Array.from({ length: 40 }, (_, i) => add(i)));
    const sums = made.map((one) => (one as { result: number }).result).sort((a, b) => a - b);
    expect(sums).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  });
});

describe("a change of a register that one transaction after the other is about to change", () => {
  /** Where transactions come first so often; each takes `ms`. */
  async function blocked(times: number, ms: number) {
    let passedMs = 0;
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + passedMs };
    const { primaries } = pair.one.service;
    const changes = new Changes(primaries, new Keys(pair.prefix), clock, Math.random, systemIds);
    const name = registerName("value", "default", freshName());
    await changes.change(name, () => ({ kind: "write", ...write("0"), result: null, told: "" }));
    const intend = async (is: boolean) => {
      const record = registerName("record", "-", freshName());
      const [creation, etag] = [changes.newEtag(), changes.newEtag()];
      const intent = is ? { record, creation, etag, write: null, keyed: null } : undefined;
      const fn = ({ version, leftMs }: State): Decision<null> => {
        if (!version) throw new Error("it is there");
        return { kind: "replace", version: { ...version, intent }, leftMs, result: null };
      };
      await changes.change(name, fn, { seesIntent: true });
    };
    let settled = 0;
    changes.settleBy({
      settle: () => {
        settled += 1;
        passedMs += ms;
        return intend(settled < times);
      },
    });
    await intend(true);
    const change = changes.change(name, () => ({ kind: "write", ...write("1"), result: null, told: "" }));
    return { change, settled: () => settled };
  }

  test("is made after them", async () => {
    const { change } = await blocked(20, 10);
    expect(await change).toMatchObject({ kind: "written", number: 2 });
  });

  test("ends where they take longer than 5 s", async () => {
    const { change, settled } = await blocked(20, 900);
    await expect(change).rejects.toMatchObject({ code: "contended" });
    expect(settled()).toBe(6);
  });
});
