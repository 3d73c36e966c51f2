import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { systemClock, systemRandom } from "../src/clock.js";

test("monotonic time has fractions and does not go back", () => {
  const times = Array.from({ length: 1_000 }, () => systemClock.monotonicMs());
  expect(times).toEqual([...times].sort((one, other) => one - other));
  expect(times.some((ms) => !Number.isInteger(ms))).toBe(true);
});

test("the wall clock is in microseconds", () => {
  expect(Math.abs(systemClock.wallMicros() / 1_000 - Date.now())).toBeLessThan(60_000);
});

test("chance is in [0, 1)", () => {
  const chances = Array.from({ length: 1_000 }, systemRandom);
  expect(Math.min(...chances)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...chances)).toBeLessThan(1);
  expect(new Set(chances).size).toBeGreaterThan(900);
});

test("a task runs once, after its time", async () => {
  const beganMs = performance.now();
  const task = vi.fn(() => performance.now() - beganMs);
  systemClock.after(20, task);
  await vi.waitFor(() => expect(task).toHaveBeenCalled(), 10_000);
  await sleep(60);
  expect(task).toHaveBeenCalledOnce();
  expect(task.mock.results[0]?.value).toBeGreaterThanOrEqual(19);
});

test("a task that was called off does not run, even when its time has come", async () => {
  const task = vi.fn();
  const cancel = systemClock.after(5, task);
  setTimeout(cancel, 6);
  // Both timers are due in one turn of the loop; the task would run at the end of it.
  busy(20);
  await sleep(20);
  expect(task).not.toHaveBeenCalled();
});

test("what arrived while this process was busy comes before the end of its time", async () => {
  const server = createServer((socket) => void socket.write("reply").valueOf());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  try {
    const order = await new Promise<string[]>((resolve) => {
      const seen: string[] = [];
      const note = (what: string) => {
        seen.push(what);
        if (seen.length === 2) resolve(seen);
      };
      socket.once("connect", () => {
        socket.once("data", () => note("reply"));
        systemClock.after(300, () => note("deadline"));
        // The server is in this process too: one turn to accept and to write, before the pause.
        server.once("connection", () => {
          setImmediate(() => {
            busy(400);
          });
        });
      });
    });
    expect(order).toEqual(["reply", "deadline"]);
  } finally {
    socket.destroy();
    server.close();
  }
});

test("sleep ends in time", async () => {
  const beganMs = performance.now();
  await systemClock.sleep(20);
  expect(performance.now() - beganMs).toBeGreaterThanOrEqual(19);
});

test("sleep ends with the signal's reason when it aborts first", async () => {
  const abort = new AbortController();
  const slept = systemClock.sleep(60_000, abort.signal);
  abort.abort(new Error("the client has gone"));
  await expect(slept).rejects.toThrow("the client has gone");
  await expect(systemClock.sleep(60_000, abort.signal)).rejects.toThrow("the client has gone");
});

test("a signal that outlives many sleeps keeps nothing of them", async () => {
  const { signal } = new AbortController();
  const listeners = vi.spyOn(signal, "addEventListener");
  const removed = vi.spyOn(signal, "removeEventListener");
  await systemClock.sleep(1, signal);
  expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(
    listeners.mock.calls.map(([, listener]) => listener),
  );
});

/** Keeps the event loop from turning. */
function busy(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}
