import { describe, expect, it } from "vitest";
import { latency } from "../../bench/comparison/statistics.js";
import { closedLoop } from "../../bench/load/closed-loop.js";
import { parseAnswer } from "../../bench/load/http-connection.js";
import { openLoop, Schedule } from "../../bench/load/open-loop.js";
import { type Client, Refused, type Workload } from "../../bench/load/workload.js";

/** A workload that answers with `error`, or after `delayMs` without one. */
function answering(error: Error | null, delayMs = 1, steps = 1): { workload: Workload; client: Client } {
  const client: Client = { run: (_step, _cycle, done) => void setTimeout(done, delayMs, error) };
  return { workload: { steps, open: async () => [client], close: async () => {} }, client };
}

describe("the schedule of an open loop", () => {
  it("has no request due before its time, and all that are due after a pause", () => {
    const schedule = new Schedule(1_000, 5);
    expect(schedule.takeDue(0)).toBe(0);
    expect(schedule.takeDue(0.9)).toBeNull();
    expect([schedule.takeDue(3.5), schedule.takeDue(3.5), schedule.takeDue(3.5)]).toEqual([1, 2, 3]);
    expect(schedule.takeDue(3.5)).toBeNull();
  });

  it("counts latency from the moment at which a request was due, not from when it was sent", () => {
    const schedule = new Schedule(1_000, 100);
    // The contender stalls for 100 ms, and then answers everything at once.
    for (let due = schedule.takeDue(99); due !== null; due = schedule.takeDue(99))
      schedule.answered(due, 100);
    expect(schedule.complete).toBe(true);
    expect(latency(schedule.timesMs)).toEqual({ p50Ms: 50, p99Ms: 99, p999Ms: 100 });
  });

  it("ends after the requested number, of which those refused have no latency", () => {
    const schedule = new Schedule(1_000, 2);
    schedule.answered(schedule.takeDue(10) ?? -1, 10);
    expect(schedule.complete).toBe(false);
    schedule.takeDue(10);
    schedule.refuse(true);
    expect(schedule.takeDue(10)).toBeNull();
    expect([schedule.complete, schedule.timesMs, schedule.refused]).toEqual([true, [10], 0.5]);
  });
});

describe("the loops", () => {
  it("an open loop with one slow client tells how long the others had to wait for it", async () => {
    const { workload, client } = answering(null, 20);
    const sample = await openLoop(workload, [client], { perSecond: 200, ms: 50 });
    // Ten requests, due every 5 ms, each of which takes 20 ms.
    expect(sample.p50Ms).toBeGreaterThan(50);
    expect(sample.p999Ms).toBeGreaterThan(140);
  });

  it("a closed loop counts complete cycles", async () => {
    const { workload, client } = answering(null, 1, 2);
    const sample = await closedLoop(workload, [client], 50);
    expect(sample.perSecond).toBeGreaterThan(0);
    expect(sample.perSecond).toBeLessThanOrEqual(500);
    expect(sample.refused).toBe(0);
  });

  it("a refusal is counted, and is no cycle", async () => {
    const { workload, client } = answering(new Refused("held"));
    expect(await closedLoop(workload, [client], 30)).toMatchObject({ perSecond: 0, refused: 1 });
  });

  it.each([
    ["closed", ({ workload, client }: ReturnType<typeof answering>) => closedLoop(workload, [client], 20)],
    [
      "open",
      ({ workload, client }: ReturnType<typeof answering>) =>
        openLoop(workload, [client], { perSecond: 1_000, ms: 20 }),
    ],
  ])("any other failure ends the %s loop", async (_, run) => {
    await expect(run(answering(new Error("the connection was closed")))).rejects.toThrow("closed");
  });
});

describe("the responses that the load generator reads", () => {
  const plain = 'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"key":"abc"}';
  const chunked =
    'HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n6\r\n{"key"\r\n7\r\n:"abc"}\r\n0\r\n\r\n';

  it.each([
    ["with a length", plain, 200],
    ["in chunks", chunked, 503],
  ])("a response %s is complete with its last byte and not before", (_, text, status) => {
    for (let end = 0; end < text.length - 4; end++) expect(parseAnswer(text.slice(0, end))).toBeNull();
    expect(parseAnswer(text)).toEqual({ status, body: '{"key":"abc"}' });
  });
});
