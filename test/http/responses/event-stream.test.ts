import { pino } from "pino";
import { expect, test } from "vitest";
import { eventStream, toEvent } from "../../../src/http/responses/event-stream.js";

const logged: string[] = [];
const log = pino({ level: "error" }, { write: (line) => void logged.push(line) });

async function* yielding(...chunks: string[]) {
  yield* chunks;
}

test("an event is one line of data, whatever is in it", () => {
  expect(toEvent("state", "7", JSON.stringify({ text: "a\nb\r\nc\u2028" }))).toBe(
    'event: state\nid: 7\ndata: {"text":"a\\nb\\r\\nc\u2028"}\n\n',
  );
});

test("a stream has what is yielded, and ends with it", async () => {
  const stream = eventStream(() => yielding("one\n\n", "two\n\n"), log);
  expect(await new Response(stream).text()).toBe("one\n\ntwo\n\n");
});

test("nothing is asked for before somebody reads", async () => {
  let asked = 0;
  const stream = eventStream(async function* () {
    asked += 1;
    yield "one\n\n";
  }, log);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(asked).toBe(0);
  await new Response(stream).text();
  expect(asked).toBe(1);
});

test("a reader that goes is told to whoever yields, and nothing is asked for any more", async () => {
  let signal: AbortSignal | undefined;
  const stream = eventStream(async function* (gone) {
    signal = gone;
    yield "one\n\n";
    await new Promise((resolve) => gone.addEventListener("abort", resolve));
    yield "never read\n\n";
  }, log);
  const reader = stream.getReader();
  await reader.read();
  const pending = reader.read();
  expect(signal?.aborted).toBe(false);
  await reader.cancel();
  expect(signal?.aborted).toBe(true);
  expect((await pending).done).toBe(true);
});

test("an unexpected exception ends the stream, and is logged", async () => {
  // biome-ignore lint/correctness/useYield: it fails before it would.
  const stream = eventStream(async function* (): AsyncGenerator<string> {
    throw new TypeError("no such thing");
  }, log);
  expect(await new Response(stream).text()).toBe("");
  expect(logged.join()).toContain("no such thing");
});
