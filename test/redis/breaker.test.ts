import { beforeEach, describe, expect, test } from "vitest";
import { Breaker } from "../../src/redis/breaker.js";
import { FakeClock, settled } from "../helpers/fake-clock.js";
import { FakeConnection } from "../helpers/fake-connection.js";

let clock: FakeClock;
let connection: FakeConnection;
let breaker: Breaker;
/** What was told, in order: the reason for which it opened, or the epoch with which it closed. */
let told: (string | number)[];
let probes: number;
let probe: () => Promise<void>;

const ok = async (): Promise<void> => {};
const fail = async (): Promise<void> => {
  throw new Error("not yet");
};

beforeEach(() => {
  clock = new FakeClock();
  connection = new FakeConnection();
  told = [];
  probes = 0;
  probe = ok;
  breaker = new Breaker(
    connection,
    {
      probe: () => {
        probes += 1;
        return probe();
      },
      opened: (reason) => told.push(reason),
      closed: (epoch) => told.push(epoch),
    },
    clock,
  );
});

async function closed(): Promise<void> {
  connection.open();
  await settled();
  expect(told.splice(0)).toEqual([1]);
}

test("is open until the connection stands and a probe succeeded", async () => {
  await clock.advance(1_000);
  expect([told, probes]).toEqual([[], 0]);
  await closed();
  expect(probes).toBe(1);
});

test("closes where the connection stands already", async () => {
  connection.ready = true;
  new Breaker(connection, { probe, opened: () => {}, closed: (epoch) => told.push(epoch) }, clock);
  await settled();
  expect(told).toEqual([1]);
});

test("probes every 50 ms, tells why each probe failed, and closes at the first that succeeds", async () => {
  await closed();
  probe = fail;
  breaker.open("silent");
  await clock.advance(499);
  expect(told).toEqual(["silent", ...Array.from({ length: 10 }, () => "not yet")]);
  probe = ok;
  await clock.advance(1);
  expect(told.at(-1)).toBe(2);
  await clock.advance(1_000);
  expect(told).toHaveLength(12);
});

test("probes once at a time, however often it is opened", async () => {
  await closed();
  let end: () => void = () => {};
  probe = () => new Promise((resolve) => (end = resolve));
  for (let i = 0; i < 5; i++) breaker.open(`reason ${i}`);
  connection.open();
  await clock.advance(1_000);
  expect(probes).toBe(2);
  end();
  await settled();
  expect(told.at(-1)).toBe(2);
});

describe("without a connection", () => {
  test("it opens with the reason, and does not probe", async () => {
    await closed();
    connection.lose(new Error("read ECONNRESET"));
    await clock.advance(1_000);
    expect([told, probes]).toEqual([["read ECONNRESET"], 1]);
    connection.open();
    await settled();
    expect(told.at(-1)).toBe(2);
  });

  test("that was lost without a reason, it tells whether there ever was an answer", async () => {
    connection.lose();
    expect(told.splice(0)).toEqual([expect.stringContaining("is it a Redis or Valkey server?")]);
    await closed();
    connection.lose();
    expect(told).toEqual(["connection lost"]);
  });

  test("a probe that was under way neither closes it nor explains anything", async () => {
    let end: (error?: Error) => void = () => {};
    probe = () => new Promise((resolve, reject) => (end = (error) => (error ? reject(error) : resolve())));
    connection.open();
    await settled();
    connection.lose(new Error("read ECONNRESET"));
    end();
    await settled();
    expect(told).toEqual(["read ECONNRESET"]);
    connection.open();
    await settled();
    connection.lose(new Error("read ECONNRESET"));
    end(new Error("Connection is closed."));
    await settled();
    expect(told).toEqual(["read ECONNRESET", "read ECONNRESET"]);
  });
});

test("once stopped, it tells of nothing and does not probe", async () => {
  await closed();
  probe = fail;
  breaker.open("silent");
  await settled();
  told.length = 0;
  breaker.stop();
  breaker.open("again");
  connection.lose();
  connection.open();
  probe = ok;
  await clock.advance(1_000);
  expect(told).toEqual([]);
  expect(probes).toBe(2);
});
