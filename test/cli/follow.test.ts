import { beforeEach, describe, expect, test } from "vitest";
import { follow } from "../../src/cli/follow.js";
import type { Election } from "../../src/cli/types.js";
import type { QuorateError } from "../../src/client/errors.js";
import { Transport } from "../../src/client/transport.js";
import { FakeService, problem, type Received, type Reply } from "../client/fake-service.js";

let reply: (request: Received) => Reply;
let service: FakeService;
let told: string[];
let ended: Promise<unknown>;

beforeEach(() => {
  told = [];
  service = new FakeService((request) => reply(request));
});

/** Follows `billing` at one instance. */
function begin(): void {
  const transport = new Transport({ urls: ["http://one"] }, service.world);
  ended = follow<Election>(
    transport,
    { path: "/elections/billing", field: "leader" },
    {
      changed: ({ leader }) => void told.push(leader?.candidate ?? "nobody"),
      troubled: (error) => void told.push(`troubled: ${error.code}`),
    },
  ).catch((error: QuorateError) => error.code);
}

const state = (candidate: string, etag: string): Reply => ({
  status: 200,
  body: { name: "billing", leader: { candidate }, known: true },
  headers: { etag },
});

describe("an election that is followed", () => {
  test("is told at the beginning, and whenever it has changed", async () => {
    const states = [state("a", '"1"'), state("b", '"2"')];
    reply = () => states.shift();
    begin();
    await service.clock.advance(1_000);
    expect(told).toEqual(["a", "b"]);
    const [first, second, third] = service.received;
    expect(first?.headers.get("if-none-match")).toBeNull();
    expect(second?.headers.get("if-none-match")).toBe('"1"');
    expect(third?.path).toMatch(/^\/v1\/elections\/billing\?waitMs=[1-9]/);
  });

  test("is not told again where an instance answers what is known", async () => {
    const states = [state("a", '"1"'), state("a", '"1"')];
    reply = () => states.shift();
    begin();
    await service.clock.advance(1_000);
    expect(told).toEqual(["a"]);
  });

  test("is told though a proxy keeps its tag from us, without asking at once again", async () => {
    reply = () => ({ ...(state("a", "") as object), status: 200, headers: {} });
    begin();
    await service.clock.advance(10_000);
    expect(told[0]).toBe("a");
    expect(service.received.length).toBeLessThan(25);
  });

  test("is not asked for at once again where a proxy does not wait", async () => {
    const first = state("a", '"1"');
    reply = () => (service.received.length === 1 ? first : { status: 304 });
    begin();
    await service.clock.advance(10_000);
    expect(told).toEqual(["a"]);
    expect(service.received.length).toBeLessThan(25);
  });

  test("that nobody tells of any more is told of once, and then again as it is", async () => {
    let reachable = true;
    let etag = 1;
    reply = () => (reachable ? (etag === 3 ? undefined : state("a", `"${etag++}"`)) : new Error("refused"));
    begin();
    await service.clock.advance(100);
    reachable = false;
    await service.clock.advance(120_000);
    expect(told).toEqual(["a", "a", "troubled: unreachable"]);
    etag = 1;
    reachable = true;
    await service.clock.advance(10_000);
    expect(told.slice(3)).toEqual(["a", "a"]);
  });

  test("ends it where it cannot be read at the beginning, or not by this caller", async () => {
    reply = () => new Error("refused");
    begin();
    await service.clock.advance(60_000);
    expect(await ended).toBe("unreachable");
    const replies = [state("a", '"1"'), problem(403, "forbidden")];
    reply = () => replies.shift();
    begin();
    await service.clock.advance(60_000);
    expect([told, await ended]).toEqual([["a"], "forbidden"]);
  });
});
