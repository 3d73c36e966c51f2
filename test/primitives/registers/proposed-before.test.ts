import { expect, test } from "vitest";
import { KEYED_MAX } from "../../../src/algorithms/register.js";
import { systemClock } from "../../../src/clock.js";
import { systemIds } from "../../../src/ids.js";
import { Changes } from "../../../src/primitives/registers/changes.js";
import { keyedOf } from "../../../src/primitives/registers/keyed.js";
import { Registers } from "../../../src/primitives/registers/registers.js";
import { type Answer, failed } from "../../../src/redis/answer.js";
import { PrimaryFailure } from "../../../src/redis/failures.js";
import type { Primary } from "../../../src/redis/primary.js";
import { Keys } from "../../../src/scripts/keys.js";
import { registerName } from "../../../src/scripts/register-kinds.js";
import { type Call, SCRIPTS } from "../../../src/scripts/scripts.js";
import { Pair } from "../../helpers/pair.js";
import { freshName } from "../../helpers/service.js";
import { steadyPrimaries } from "../../helpers/steady-primaries.js";

/**
 * Of one change a single primary has accepted a proposal, and of an older one another primary. Either may still be decided,
 * so the later change, which then finds the older one, must see to it that its own is not before it says anything.
 */
const pair = new Pair();
const value = (json: string) => ({ json, ttlMs: null });

/** Registers as an instance sees them whose questions do not reach all primaries, by their places. */
function reaching(reaches: (step: "prepare" | "accept" | "read", place: number, name: string) => boolean) {
  const keys = new Keys(pair.prefix);
  const steps = new Map([
    [SCRIPTS["prepare-register"], "prepare"],
    [SCRIPTS["accept-register"], "accept"],
    [SCRIPTS["read-register"], "read"],
  ] as const);
  const ask = (
    primary: Primary,
    place: number,
    call: Call<unknown>,
    answered: (a: Answer<unknown>) => void,
  ) => {
    const step = steps.get(call.script as (typeof SCRIPTS)["read-register"]);
    const key = call.keys[0]?.slice(keys.register("").length);
    if (!step || reaches(step, place, key ?? "")) primary.ask(call, answered);
    else answered(failed(new PrimaryFailure("unknown", "the connection is cut")));
  };
  const all = pair.one.service.primaries.all.map(
    (primary, place) =>
      new Proxy(primary, {
        get: (_, property) =>
          property === "ask" ? ask.bind(null, primary, place) : Reflect.get(primary, property, primary),
      }),
  );
  const primaries = steadyPrimaries(all);
  const changes = new Changes(primaries, keys, systemClock, Math.random, systemIds);
  return new Registers(changes, primaries, keys, systemClock, Math.random);
}

/** Only the third primary accepts what is proposed. */
const onTheThird = () => reaching((step, place) => step !== "accept" || place === 2);

/** Only the first primary accepts the first proposal, of a ballot that the third has not promised; the next ballots are promised by the others. */
function onTheFirst(name: string) {
  let phase: "promising" | "proposing" | "later" | "over" = "promising";
  return reaching((step, place, its) => {
    if (phase === "over" || its !== name) {
      // Its record is looked for.
      if (phase === "later" && its !== name) phase = "over";
      return true;
    }
    if (phase === "promising" && step === "accept") phase = "proposing";
    if (phase === "proposing" && step === "prepare") phase = "later";
    if (phase === "promising") return place !== 2;
    return phase === "proposing" ? place === 0 : place !== 0;
  });
}

test("a change that was proposed and then meets an intent is made once", async () => {
  const name = registerName("value", "default", freshName());
  const { registers } = pair.one.service;
  const base = await registers.put(name, value("0"));
  const { changes } = onTheThird();
  const intent = {
    record: registerName("record", "-", freshName()),
    creation: changes.newEtag(),
    etag: changes.newEtag(),
    write: value("1"),
    keyed: null,
  };
  const placed = changes.change(
    name,
    ({ version, leftMs }) => {
      if (!version) throw new Error("it is there");
      return { kind: "replace", version: { ...version, intent }, leftMs, result: null };
    },
    { seesIntent: true },
  );
  await expect(placed).rejects.toMatchObject({ code: "outcome_unknown" });

  const ifMatch = base.kind === "put" ? [base.etag] : [];
  const put = await onTheFirst(name).put(name, value("2"), { ifMatch });
  expect(put).toMatchObject({ kind: "put", number: 2 });
  expect(await pair.other.service.registers.get(name)).toMatchObject({ json: "2", number: 2 });
});

test("a change that was proposed and then finds no place for its key is not made later", async () => {
  const name = registerName("value", "default", freshName());
  const { registers } = pair.one.service;
  for (let i = 1; i < KEYED_MAX; i++)
    await registers.put(name, value(String(i)), { keyed: keyedOf(String(i)) });
  const last = onTheThird().put(name, value("64"), { keyed: keyedOf("64") });
  await expect(last).rejects.toMatchObject({ code: "outcome_unknown" });

  const put = onTheFirst(name).put(name, value("65"), { keyed: keyedOf("65") });
  await expect(put).rejects.toMatchObject({ code: "too_many_keyed" });
  expect(await pair.other.service.registers.get(name)).toMatchObject({ json: "64" });
});

test("a change that may have replaced what was not decided, and then keeps what is, is not made later", async () => {
  const name = registerName("value", "default", freshName());
  await pair.one.service.registers.put(name, value("0"));
  const accepted = reaching((step, place) => step !== "accept" || place === 0).put(name, value("1"));
  await expect(accepted).rejects.toMatchObject({ code: "outcome_unknown" });

  const changed = await onTheFirst(name).changes.change(name, ({ version, leftMs }) => {
    if (version?.json !== "1") return { kind: "keep", result: "kept" };
    return { kind: "replace", version: { ...version, json: '"replaced"' }, leftMs, result: "replaced" };
  });
  expect(changed).toMatchObject({ kind: "kept", result: "kept" });
  const byTwo = reaching((_, place) => place !== 2);
  expect(await byTwo.get(name)).toMatchObject({ json: "0" });
});

test("a change that may have replaced what was not decided, and then finds nothing, says that nobody knows", async () => {
  const name = registerName("value", "default", freshName());
  const accepted = reaching((step, place) => step !== "accept" || place === 0).put(name, value("1"));
  await expect(accepted).rejects.toMatchObject({ code: "outcome_unknown" });

  const changed = onTheFirst(name).changes.change(name, ({ version, leftMs }) => {
    if (version?.json !== "1") return { kind: "keep", result: "kept" };
    return { kind: "replace", version: { ...version, json: '"replaced"' }, leftMs, result: "replaced" };
  });
  await expect(changed).rejects.toMatchObject({ code: "outcome_unknown" });
});
