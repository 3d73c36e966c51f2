/**
 * Explores the models of test/model with large bounds: npm run model -- [--minutes M] [--model NAME]
 *
 * First every wrong variant, which must be caught, with its shortest history; then the right ones, each until it is
 * exhausted or its share of the time or of the memory is used up. NAME picks those whose name contains it.
 * Exits with 1 when a wrong variant is not caught or a right one is found wrong.
 */
import { z } from "zod";
import { type Entry, RIGHT, WRONG } from "../test/model/catalog.js";
import type { Exploration } from "../test/model/explore.js";
import { told } from "../test/model/telling.js";
import { commandLine, positive } from "./command-line.js";

/** Of the states themselves and what finds them again; some more is needed while a table grows. */
const MEMORY_BYTES_MAX = 2.4e9;
/** Table and tags at their emptiest, and the parent. */
const OVERHEAD_BYTES = 28;

const { minutes, model } = commandLine("npm run model -- [--minutes 10] [--model NAME]", {
  minutes: positive.default(10),
  model: z.string().default(""),
});
const endMs = performance.now() + minutes * 60_000;
const named = (entries: readonly Entry[]) => entries.filter(({ name }) => name.includes(model));

const wrong = named(WRONG).map((entry) => run(entry, endMs));
const right = named(RIGHT).map((entry, place, all) => {
  const nowMs = performance.now();
  return run(entry, nowMs + (endMs - nowMs) / (all.length - place));
});

const explored = right.reduce((sum, { states }) => sum + states, 0);
const mistakes = [
  ...wrong.filter(({ outcome }) => outcome !== "violated").map(({ model }) => `not caught: ${model}`),
  ...right.filter(({ outcome }) => outcome === "violated").map(({ model }) => `wrong: ${model}`),
  ...right
    .filter(({ outcome, missed }) => outcome === "exhausted" && missed.length > 0)
    .map(({ model }) => `shows too little: ${model}`),
];
console.log(`\n${explored.toLocaleString("en")} states of right models, ${wrong.length} wrong variants`);
for (const mistake of mistakes) console.log(mistake);
process.exitCode = mistakes.length > 0 ? 1 : 0;

function run(entry: Entry, untilMs: number): Exploration {
  const fromMs = performance.now();
  const exploration = entry.run({
    states: Math.floor(MEMORY_BYTES_MAX / (entry.stateBytes + OVERHEAD_BYTES)),
    goOn: () => performance.now() < untilMs,
  });
  const seconds = (performance.now() - fromMs) / 1000;
  const rate = Math.round(exploration.states / seconds / 1000);
  console.log(`${told(exploration)}\n   ${seconds.toFixed(1)} s, ${rate} thousand states a second\n`);
  return exploration;
}
