import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { LogOutput, toLogger } from "../src/log.js";
import { FakeClock } from "./helpers/fake-clock.js";
import { openPipe } from "./helpers/pipe.js";
import { startProcess } from "./helpers/process.js";
import { until } from "./helpers/service.js";

/** A reader that takes as many bytes as it has room for, or fails. */
class Reader {
  room = Number.POSITIVE_INFINITY;
  failing: string | undefined;
  text = "";

  readonly take = (bytes: Buffer): number => {
    const code = this.failing ?? (this.room === 0 ? "EAGAIN" : undefined);
    if (code !== undefined) throw Object.assign(new Error(code), { code });
    const taken = Math.min(this.room, bytes.length);
    this.text += bytes.subarray(0, taken).toString();
    this.room -= taken;
    return taken;
  };
}

function setUp() {
  const reader = new Reader();
  const clock = new FakeClock();
  const output = new LogOutput(reader.take, clock);
  output.onRecovered = (dropped) => output.write(`dropped ${dropped}\n`);
  return { reader, clock, output };
}

const KB = `${"x".repeat(1023)}\n`;

test("a level is told by its name, and the time as ISO 8601", () => {
  const lines: string[] = [];
  toLogger("info", { write: (line) => void lines.push(line) }).warn({ primary: "a:6379" }, "down");
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { level: "warn", time: expect.stringMatching(/^\d{4}-.*Z$/), primary: "a:6379", msg: "down" },
  ]);
});

test("what a reader has no room for yet is written when it has, in order and once", async () => {
  const { reader, clock, output } = setUp();
  reader.room = 4;
  output.write("one\n");
  output.write("two\n");
  output.write("three\n");
  expect(reader.text).toBe("one\n");
  // A part of a line.
  reader.room = 6;
  await clock.advance(10);
  expect(reader.text).toBe("one\ntwo\nth");
  reader.room = 1_000;
  await clock.advance(10);
  output.write("four\n");
  expect(reader.text).toBe("one\ntwo\nthree\nfour\n");
  expect(output.dropped).toBe(0);
});

test("at most 1 MB waits for a reader; what is beyond is dropped in whole lines, counted, and told once", async () => {
  const { reader, clock, output } = setUp();
  reader.room = 0;
  for (let i = 0; i < 1_124; i++) output.write(KB);
  expect(output.dropped).toBe(100);
  reader.room = Number.POSITIVE_INFINITY;
  await clock.advance(10);
  expect(reader.text).toBe(`${KB.repeat(1_024)}dropped 100\n`);
  output.write("after\n");
  expect(reader.text.endsWith("dropped 100\nafter\n")).toBe(true);
  expect(output.dropped).toBe(100);
});

test("writes have whole lines, no more than a pipe takes at once: other processes may write to it as well", async () => {
  const { reader, clock, output } = setUp();
  const writes: string[] = [];
  const { take } = reader;
  const writing = new LogOutput((bytes) => {
    const taken = take(bytes);
    writes.push(bytes.toString());
    return taken;
  }, clock);
  reader.room = 0;
  const lines = Array.from({ length: 50 }, (_, i) => `${String(i).repeat(90 * i + 1)}\n`);
  for (const line of lines) writing.write(line);
  expect(writes).toEqual([]);
  reader.room = Number.POSITIVE_INFINITY;
  await clock.advance(10);
  expect(writes.join("")).toBe(lines.join(""));
  expect(writes.length).toBeLessThan(lines.length);
  for (const write of writes) {
    expect(write.endsWith("\n")).toBe(true);
    // A line longer than that is alone.
    expect(write.length <= 4_096 || write.indexOf("\n") === write.length - 1).toBe(true);
  }
  expect(output.dropped).toBe(0);
});

test.each(["EPIPE", "EIO"])("a reader that has gone (%s) is never asked again", async (code) => {
  const { reader, clock, output } = setUp();
  reader.room = 0;
  output.write("one\n");
  output.write("two\n");
  reader.failing = code;
  await clock.advance(10);
  expect(output.dropped).toBe(2);
  reader.failing = undefined;
  reader.room = 1_000;
  output.write("three\n");
  output.flushSync();
  await clock.advance(1_000);
  expect([reader.text, output.dropped]).toEqual(["", 3]);
});

test("a full disk loses lines, and takes later ones when it has room again", () => {
  const { reader, output } = setUp();
  reader.failing = "ENOSPC";
  output.write("one\n");
  output.write("two\n");
  reader.failing = undefined;
  output.write("three\n");
  expect([reader.text, output.dropped]).toEqual(["three\ndropped 2\n", 2]);
});

test("the last lines are written before the process ends, however little the reader takes at a time", () => {
  const reader = new Reader();
  let asked = 0;
  const output = new LogOutput((bytes) => {
    // It has room every second time.
    reader.room = asked++ % 2 === 0 ? 0 : 3;
    return reader.take(bytes);
  }, new FakeClock());
  for (const line of ["one\n", "two\n", "stopped\n"]) output.write(line);
  output.flushSync();
  expect(reader.text).toBe("one\ntwo\nstopped\n");
});

describe("a process", () => {
  // Paths are in the log: a few hundred requests fill what the pipe and the buffer hold.
  const LONG = `/nothing/${"x".repeat(8_000)}`;
  const ENV = { REDIS_URLS: "redis://127.0.0.1:1", QUORATE_LOG_LEVEL: "debug" };

  async function fill(url: string): Promise<void> {
    for (let i = 0; i < 10; i++) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(url + LONG)));
      expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(404));
    }
  }

  const droppedAt = async (url: string): Promise<number> =>
    Number(/^quorate_log_dropped_total (\d+)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1]);

  test("whose reader sleeps answers as ever, counts what it drops, and ends when it is told to", async () => {
    await using reader = await openPipe();
    await using service = startProcess(ENV, { stdout: reader });
    const url = await reader.url();
    await fill(url);
    expect(await droppedAt(url)).toBeGreaterThan(10);
    service.kill("SIGTERM");
    expect(await service.ended).toBe(0);
  });

  test("whose reader wakes up gives it whole lines, and one that tells how many are missing", async () => {
    await using reader = await openPipe();
    await using service = startProcess(ENV, { stdout: reader });
    const url = await reader.url();
    await fill(url);
    const dropped = await droppedAt(url);
    await until(async () => (await reader.read()).includes("were dropped"), "it tells what it dropped");
    service.kill("SIGTERM");
    const lines = async () => (await reader.read()).trim().split("\n");
    await service.ended;
    const told = (await lines()).map((line) => JSON.parse(line));
    // The line of the request for the metrics may have found a little room.
    const recovered = told.find(({ msg }) => /were dropped/.test(msg));
    expect([dropped, dropped + 1]).toContain(recovered.dropped);
    expect(recovered.level).toBe("warn");
    expect(told.at(-1)).toMatchObject({ level: "info", msg: "stopped" });
  });

  test("whose reader has gone answers as ever, and ends when it is told to", async () => {
    await using reader = await openPipe();
    await using service = startProcess(ENV, { stdout: reader });
    const url = await reader.url();
    await reader.close();
    for (let i = 0; i < 5; i++) expect((await fetch(`${url}/livez`)).status).toBe(200);
    expect(await droppedAt(url)).toBeGreaterThanOrEqual(5);
    service.kill("SIGTERM");
    expect(await service.ended).toBe(0);
  });

  test("whose reader never was ends as well", async () => {
    await using reader = await openPipe();
    await using service = startProcess(ENV, { stdout: reader });
    await reader.close();
    await sleep(1_500);
    service.kill("SIGTERM");
    // On a busy machine it may not have got to where it listens to signals.
    expect([0, "SIGTERM"]).toContain(await service.ended);
  });

  test("whose reader is slow, but takes everything, loses none of the last lines", async () => {
    await using reader = await openPipe();
    await using service = startProcess(ENV, { stdout: reader });
    const url = await reader.url();
    // More than a pipe holds, less than the buffer.
    for (let i = 0; i < 50; i++) await fetch(url + LONG);
    service.kill("SIGTERM");
    await until(async () => (await reader.read()).includes('"stopped"'), "the last line is there");
    expect(await service.ended).toBe(0);
    expect((await reader.read()).split(LONG)).toHaveLength(51);
  });
});
