import { describe, expect, test } from "vitest";
import { systemClock, systemRandom } from "../../../src/clock.js";
import { RegisterTransactions } from "../../../src/primitives/registers/register-transactions.js";
import { Keys } from "../../../src/scripts/keys.js";
import { registerName } from "../../../src/scripts/register-kinds.js";
import { RUNS_MAX } from "../../../src/scripts/scripts.js";
import { type Death, dyingInChange, type Half } from "../../helpers/dying-changes.js";
import { Pair } from "../../helpers/pair.js";
import { storedOf, upkeepAtOnce } from "../../helpers/registers.js";
import { freshName, until } from "../../helpers/service.js";

// The instance that makes a transaction of several registers dies at one of its steps: others find all of it or nothing, and
// nothing is left of it.

const pair = new Pair();

/** Each is a change: of the transaction's record, or of one of its registers. In the order in which they come. */
const STEPS = {
  "its record is made": ["record", 1],
  "the first intent": ["first", 1],
  "the last intent": ["last", 1],
  "the commit": ["record", 2],
  "the first intent is cleared": ["first", 2],
  "the last intent is cleared": ["last", 2],
  "its record is removed": ["record", 3],
} as const;

type Step = keyof typeof STEPS;
const ORDER = Object.keys(STEPS) as Step[];
/** With one primary of three nobody knows yet whether a change is made. */
const REACHED: Readonly<Record<Half, readonly number[]>> = {
  "prepare-register": [0, 3],
  "accept-register": [0, 1, 2, 3],
};
const cases = ORDER.flatMap((step) =>
  (Object.keys(REACHED) as Half[]).flatMap((half) =>
    REACHED[half].map((reached) => [step, half, reached] as const),
  ),
);

/** What others may find then: where one primary has the commit, that depends on whom they ask first. */
function expected(step: Step, half: Half, reached: number): readonly ("old" | "new")[] {
  const place = ORDER.indexOf(step) - ORDER.indexOf("the commit");
  if (place !== 0) return [place < 0 ? "old" : "new"];
  if (half === "prepare-register" || reached === 0) return ["old"];
  return reached === 1 ? ["old", "new"] : ["new"];
}

/** So many that the first and the last are not cleared by one command. */
const PARTS = Array.from({ length: (RUNS_MAX.get("accept-register") ?? 0) + 1 }, (_, i) => `${i + 1}`);

/** Registers that an instance changed until it died; there was `1` in each, and would have been `2`. */
async function left(step: Step, at: Omit<Death, "of">) {
  const { connect, died, dieAt } = dyingInChange();
  await using instance = await pair.instance({ world: { connect } });
  const nonce = freshName();
  const all = PARTS.map((part) => registerName("value", "default", `${nonce}-${part}`));
  const [first = "", last = ""] = [all[0], all.at(-1)];
  const record = registerName("record", "-", nonce);
  records.push(record);
  // By this instance: it may have to try again where another was ahead, and would die in another step.
  await Promise.all(all.map((name) => instance.service.registers.put(name, { json: "1", ttlMs: null })));
  const [part, nth] = STEPS[step];
  dieAt({ ...at, of: { key: new Keys(pair.prefix).register({ first, last, record }[part]), nth } });
  const { registers } = instance.service;
  const ids = { hexNonce: () => nonce };
  const transactions = new RegisterTransactions(registers, systemClock, systemRandom, ids);
  const parts = all.map((name) => ({ name, write: { json: "2", ttlMs: null } }));
  const answer = transactions.commit({ parts, keyed: null }).then(
    ({ kind }) => kind,
    () => "failed",
  );
  // What follows the commit is done after the answer.
  await died;
  return { all, first, last, answer: await answer };
}

/** All that were made. */
const records: string[] = [];

const registersAt = (i: number) => pair.at(i).service.registers;
const isNew = async (name: string, i: number) => (await registersAt(i).get(name))?.json === "2";

describe("an instance that dies in a transaction of registers", () => {
  test.concurrent.each(cases)(
    "(at %s, after %s on %i primaries) leaves all of it or nothing",
    async (...which) => {
      const [step, half, reached] = which;
      const { all, first, last, answer } = await left(step, { half, reached });
      // Readers wait for nobody, and once one has seen it, all see it.
      const seen: boolean[] = [];
      for (const [i, name] of [first, last, last, first, first, last].entries())
        seen.push(await isNew(name, i));
      expect(seen).toEqual([...seen].sort());
      // Who reads all of them finds one moment.
      const read = await pair.other.service.registerTransactions.commit({
        parts: all.map((name) => ({ name })),
        keyed: null,
      });
      if (read.kind !== "committed") throw new Error("nobody changes them any more");
      const found = [...read.found.values()].map((one) => one?.json);
      const is = found[0] === "2" ? "new" : "old";
      expect(found).toEqual(all.map(() => (is === "new" ? "2" : "1")));
      if (seen.includes(true) || answer === "committed") expect(is).toBe("new");
      expect(expected(step, half, reached)).toContain(is);
      // Writers go on from there, and nothing comes back.
      const etag = read.found.get(first)?.etag ?? "";
      const put = await registersAt(0).put(first, { json: "3", ttlMs: null }, { ifMatch: [etag] });
      expect(put).toMatchObject({ kind: "put", number: is === "new" ? 3 : 2 });
      expect(await isNew(last, 0)).toBe(is === "new");
      for (const name of all)
        await until(async () => !(await registersAt(1).raw(name)).version?.intent, "it has no intent");
    },
  );

  test("leaves nothing of its records, though nobody asks for them", async () => {
    const upkeep = upkeepAtOnce(pair);
    const isLeft = async (record: string) => (await storedOf(pair, record)) > 0;
    await until(
      async () => {
        await upkeep.run();
        return !(await Promise.all(records.map(isLeft))).includes(true);
      },
      "nothing is left",
      20_000,
    );
    expect(records.length).toBeGreaterThanOrEqual(cases.length);
  });
});
