import { describe, it } from "vitest";
import { expectCaught, expectSound } from "./expectations.js";
import { type WakingOptions, type WakingVariant, waking } from "./waking.js";

const writer = { mode: "writer" } as const;
const reader = { mode: "reader" } as const;
const mayLeave = true;

describe("those who sleep are woken when it is their turn", () => {
  it.each([
    ["readers behind a writer", [writer, reader, reader]],
    ["writers behind each other", [writer, writer, writer, writer]],
    ["a writer behind readers, and readers behind it", [reader, reader, writer, reader, reader]],
    [
      "where those before them leave",
      [writer, { ...reader, mayLeave }, { ...writer, mayLeave }, reader, writer],
    ],
    ["where the writer between readers leaves", [reader, { ...writer, mayLeave }, reader, reader]],
  ] as const satisfies [string, WakingOptions["requests"]][])("%s", (_, requests) => {
    expectSound(waking({ variant: "right", requests }));
  });
});

describe("somebody sleeps for ever, when", () => {
  it.each([
    ["only the first reader is woken", [writer, reader, reader]],
    ["one that leaves wakes nobody", [reader, { ...writer, mayLeave }, reader]],
    ["only the first in line matters when it leaves", [writer, reader, { ...writer, mayLeave }, reader]],
    ["a reader's release wakes nobody", [reader, writer]],
    ["a wake that comes while it asks is lost", [writer, writer]],
  ] as const satisfies [WakingVariant, WakingOptions["requests"]][])("%s", (variant, requests) => {
    expectCaught(waking({ variant, requests }), /somebody sleeps for ever/);
  });
});
