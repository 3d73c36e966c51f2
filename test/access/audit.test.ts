import { mkdtemp, readFile, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Audit, type AuditEvent, type AuditOutput } from "../../src/access/audit.js";
import { AuditFile } from "../../src/access/audit-file.js";
import { systemClock } from "../../src/clock.js";
import { LogOutput } from "../../src/log.js";
import { FakeClock } from "../helpers/fake-clock.js";

const EVENT: AuditEvent = {
  keyId: "team-a",
  namespace: "a",
  what: "locks.acquire",
  names: ["orders-1", "orders-2"],
  outcome: "granted",
  token: 34,
  requestId: "r-1",
  address: "10.0.0.7",
};

/** Lines of a log. */
function logOf() {
  const lines: string[] = [];
  const tell = (...args: unknown[]) => void lines.push(JSON.stringify(args));
  return { lines, log: { info: tell, error: tell } };
}

function setUp() {
  const clock = new FakeClock();
  const { lines, log } = logOf();
  const written: string[] = [];
  const output: AuditOutput & { full: boolean } = {
    full: false,
    write(line) {
      if (!this.full) written.push(line);
      return !this.full;
    },
  };
  return { clock, lines, written, output, audit: new Audit(output, clock, log) };
}

describe("the audit", () => {
  test("has at most 100 denials a second, and says how many it omitted", async () => {
    const { audit, clock, written } = setUp();
    const denial: AuditEvent = { what: "request", names: [], outcome: "unauthenticated", requestId: "r" };
    for (let i = 0; i < 1_000_000; i++) audit.recordDenial(denial);
    expect([written.length, audit.omitted]).toEqual([100, 999_900]);
    // They take nothing from other events.
    audit.record(EVENT);
    expect(written.length).toBe(101);
    await clock.advance(10);
    audit.recordDenial(denial);
    await clock.advance(10);
    audit.recordDenial(denial);
    expect(written.slice(-2).map((line) => JSON.parse(line).omitted)).toEqual([999_900, undefined]);
    expect([audit.recorded, audit.dropped]).toEqual([103, 0]);
  });

  test("has one JSON line for each event", async () => {
    const { audit, clock, written } = setUp();
    await clock.advance(1_500);
    audit.record(EVENT);
    audit.record({
      namespace: "a",
      what: "locks.acquire",
      names: ["x\n"],
      outcome: "forbidden",
      requestId: "r-2",
    });
    expect(written.every((line) => /^[^\n]+\n$/.test(line))).toBe(true);
    expect(written.map((line) => JSON.parse(line))).toEqual([
      { time: "1970-01-01T00:00:01.500Z", ...EVENT },
      {
        time: "1970-01-01T00:00:01.500Z",
        namespace: "a",
        what: "locks.acquire",
        names: ["x\n"],
        outcome: "forbidden",
        requestId: "r-2",
      },
    ]);
    expect(audit.recorded).toBe(2);
  });

  test("has no secret, also where a caller hands over too much", () => {
    const { audit, written } = setUp();
    const lease = { leaseId: "q-secret-lease", token: 34 };
    const request = { headers: { authorization: "Bearer quorate_secret" }, leaseId: "q-secret-lease" };
    audit.record({ ...EVENT, ...lease, ...request } as AuditEvent);
    expect(written).toHaveLength(1);
    expect(written[0]).not.toMatch(/secret|leaseId|earer|authorization/);
  });

  test("that loses lines says so at once and every ten seconds, and counts them", async () => {
    const { audit, clock, lines, output } = setUp();
    output.full = true;
    for (let i = 0; i < 100; i++) audit.record(EVENT);
    expect(audit.dropped).toBe(100);
    expect(lines).toHaveLength(1);
    await clock.advance(10_000);
    audit.record(EVENT);
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain('"dropped":101');
  });

  test("on standard output goes through the log's output, and never into the middle of its lines", async () => {
    const clock = new FakeClock();
    let room = 0;
    let text = "";
    const output = new LogOutput((bytes) => {
      if (room === 0) throw Object.assign(new Error(), { code: "EAGAIN" });
      const taken = Math.min(room, bytes.length);
      text += bytes.subarray(0, taken).toString();
      room -= taken;
      return taken;
    }, clock);
    const { lines, log } = logOf();
    const audit = new Audit(output, clock, log);
    output.write('{"level":"info"}\n');
    audit.record(EVENT);
    room = 5;
    await clock.advance(10);
    for (let i = 0; i < 10_000; i++) audit.record(EVENT);
    expect(audit.dropped).toBeGreaterThan(1_000);
    expect(lines).toHaveLength(1);
    room = Number.POSITIVE_INFINITY;
    await clock.advance(10);
    const whole = text.trimEnd().split("\n");
    expect(whole.map((line) => JSON.parse(line))).toHaveLength(1 + audit.recorded);
  });
});

async function file(bytesMax?: number) {
  const dir = await mkdtemp(join(tmpdir(), "quorate-audit-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const path = join(dir, "audit.jsonl");
  const { lines, log } = logOf();
  return { path, lines, log, output: new AuditFile(path, systemClock, log, bytesMax) };
}

describe("an audit in a file", () => {
  test("has every line, in order", async () => {
    const { path, output } = await file();
    for (let i = 0; i < 5_000; i++) {
      output.write(`${i}\n`);
      if (i % 1_000 === 0) await output.flush();
    }
    await output.flush();
    expect(await readFile(path, "utf8")).toBe(Array.from({ length: 5_000 }, (_, i) => `${i}\n`).join(""));
  });

  test("appends to what is there, and is not for everybody to read", async () => {
    const { path, output, log } = await file();
    output.write("one\n");
    await output.flush();
    const again = new AuditFile(path, systemClock, log);
    again.write("two\n");
    await again.flush();
    expect(await readFile(path, "utf8")).toBe("one\ntwo\n");
    expect((await stat(path)).mode & 0o007).toBe(0);
  });

  test("refuses lines beyond its bound, and takes them again when there is room", async () => {
    const { path, output } = await file(100);
    const line = `${"x".repeat(29)}\n`;
    const taken = Array.from({ length: 10 }, () => output.write(line)).filter(Boolean);
    expect(taken).toHaveLength(3);
    await output.flush();
    expect(output.write(line)).toBe(true);
    await output.flush();
    expect(await readFile(path, "utf8")).toBe(line.repeat(4));
  });

  test("is opened again after it was moved away, and no line is lost or torn", async () => {
    const { path, output } = await file();
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 1_000; j++) output.write(`${i * 1_000 + j}\n`);
      await rename(path, `${path}.${i}`);
      output.reopen();
    }
    output.write("end\n");
    await output.flush();
    const parts = await Promise.all(
      [`${path}.0`, `${path}.1`, `${path}.2`, path].map((each) => readFile(each, "utf8")),
    );
    expect(parts.join("")).toBe(`${Array.from({ length: 3_000 }, (_, i) => `${i}\n`).join("")}end\n`);
    expect(parts.at(-1)).toContain("end\n");
  });

  test("stays in the open file where it cannot be opened again", async () => {
    const { path, output, lines } = await file();
    await rename(path, `${path}.1`);
    await rm(join(path, ".."), { recursive: true });
    output.reopen();
    output.write("one\n");
    await output.flush();
    expect(lines.join()).toContain("ENOENT");
    // onTestFinished removes the folder.
    const { mkdir } = await import("node:fs/promises");
    await mkdir(join(path, ".."));
  });

  test("whose disk is full counts what is lost, tells it, and goes on", async () => {
    const { lines, log } = logOf();
    const output = new AuditFile("/dev/full", systemClock, log);
    const audit = new Audit(output, systemClock, log);
    for (let i = 0; i < 10; i++) audit.record(EVENT);
    await output.flush();
    expect([audit.recorded, audit.dropped]).toEqual([0, 10]);
    expect(lines).toHaveLength(1);
    audit.record(EVENT);
    await output.flush();
    expect(audit.dropped).toBe(11);
  });

  test("that cannot be opened fails at once", () => {
    expect(() => new AuditFile("/nowhere/audit.jsonl", systemClock, logOf().log)).toThrow("ENOENT");
  });

  test("has the last lines of a process too", async () => {
    const { path, output } = await file();
    output.write("one\n");
    await output.flush();
    output.write("two\n");
    output.write("three\n");
    output.flushSync();
    await output.flush();
    expect((await readFile(path, "utf8")).split("\n").sort()).toEqual(["", "one", "three", "two"]);
  });
});
