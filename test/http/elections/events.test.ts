import { expect, test } from "vitest";
import { CoordinationError } from "../../../src/errors.js";
import type { Services } from "../../../src/http/context.js";
import { electionEvents } from "../../../src/http/elections/events.js";
import { Stopping } from "../../../src/http/server/stopping.js";
import type { ElectionState, Elections } from "../../../src/primitives/election.js";
import { FakeClock } from "../../helpers/fake-clock.js";

const KEEP_ALIVE = ": keep-alive\n\n";

const state = (version: string): ElectionState => ({
  leader: null,
  known: true,
  version,
  waiting: 0,
  queue: [],
});

/** A stream whose election answers what `change` says; it begins at version "a". */
function stream(change: Elections["change"], seen?: string, random = () => 1) {
  const clock = new FakeClock();
  const stopping = new Stopping();
  const services = { clock, random, stopping, elections: { change } } as unknown as Services;
  const gone = new AbortController();
  const events = electionEvents(services, "billing", { first: state("a"), seen }, gone.signal);
  const next = async () => (await events.next()).value;
  return { clock, stopping, gone, next };
}

test("a stream is silent for 15 s at most", async () => {
  const asked: unknown[] = [];
  const { clock, next } = stream(async (name, version, deadlineMs) => {
    asked.push([name, version, deadlineMs - clock.monotonicMs()]);
    return state("a");
  });
  expect(await next()).toBe("retry: 1000\n\n");
  expect(await next()).toMatch(/^event: state\nid: a\ndata: \{"name":"billing",.*\}\n\n$/);
  expect(await next()).toBe(KEEP_ALIVE);
  expect(await next()).toBe(KEEP_ALIVE);
  expect(asked).toEqual([
    ["billing", "a", 15_000],
    ["billing", "a", 15_000],
  ]);
});

test("many streams that were told the same at once do not speak again all at once", async () => {
  const deadlinesMs: number[] = [];
  for (const chance of [0, 0.5, 0.999]) {
    const change: Elections["change"] = async (_name, _version, deadlineMs) => {
      deadlinesMs.push(Math.round(deadlineMs));
      return state("a");
    };
    const { next } = stream(change, undefined, () => chance);
    for (let i = 0; i < 3; i++) await next();
  }
  expect(deadlinesMs).toEqual([10_000, 12_500, 14_995]);
});

test("without a majority it says that it lives, and asks again a second later", async () => {
  let calls = 0;
  const { clock, next } = stream(async () => {
    calls += 1;
    if (calls === 1) throw new CoordinationError("no_quorum", "1 of 3 primaries answered.");
    return state("b");
  }, "a");
  await next();
  expect(await next()).toBe(KEEP_ALIVE);
  const waiting = next();
  await clock.advance(999);
  expect(calls).toBe(1);
  await clock.advance(1);
  expect(await waiting).toBe(KEEP_ALIVE);
  expect(await next()).toContain("id: b\n");
});

test("it ends when the client goes, and when the instance stops", async () => {
  for (const end of ["client", "instance"]) {
    const { gone, stopping, next } = stream(
      (_name, _version, _deadline, signal) =>
        new Promise((resolve) => signal?.addEventListener("abort", () => resolve(state("a")))),
    );
    await next();
    await next();
    const waiting = next();
    if (end === "client") gone.abort();
    else stopping.begin();
    expect(await waiting).toBeUndefined();
  }
});

test("a mistake of ours ends it with an exception, not with a guess", async () => {
  const { next } = stream(async () => {
    throw new TypeError("no such thing");
  });
  await next();
  await next();
  await expect(next()).rejects.toThrow(TypeError);
});
