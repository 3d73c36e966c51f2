import { beforeEach, describe, expect, test } from "vitest";
import { RegisterNews } from "../../../src/primitives/registers/register-news.js";
import type { Connection, ConnectOptions } from "../../../src/redis/connection.js";
import { Subscriptions } from "../../../src/redis/subscriptions.js";
import { Keys } from "../../../src/scripts/keys.js";

// What is published of registers, on three primaries whose connections are the test.

class FakePrimary implements Connection {
  readonly ready = true;
  readonly calls: string[] = [];
  constructor(readonly options: ConnectOptions) {}
  get channels(): string[] {
    return [...(this.options.subscription?.channels ?? [])];
  }
  subscribed(): void {
    this.options.subscription?.onSubscribed?.(this.channels);
  }
  publish(channel: string, message: string): void {
    if (this.channels.includes(channel)) this.options.subscription?.onMessage(message, channel);
  }
  resubscribe(added: readonly string[], removed: readonly string[]): void {
    this.calls.push([...added.map((one) => `+${one}`), ...removed.map((one) => `-${one}`)].join(" "));
  }
  call = (): Promise<never> => Promise.reject(new Error("nothing is sent"));
  onChange(): void {}
  close(): void {}
}

const keys = new Keys("q:");
const ETAG = (n: number) => `${String(n).padStart(12, "0")}:${"1".repeat(24)}`;
let primaries: FakePrimary[];
let news: RegisterNews;
beforeEach(() => {
  primaries = [];
  const connect = (_: string, options: ConnectOptions) => {
    const primary = new FakePrimary(options);
    primaries.push(primary);
    return primary;
  };
  news = new RegisterNews(new Subscriptions(["a", "b", "c"], connect, 100), keys, 2);
});
const publish = (place: number, name: string, etag: number) =>
  primaries[place]?.publish(keys.registerChannel("value/default"), `${ETAG(etag)} ${name}`);

describe("news of registers", () => {
  test("come when a majority of the primaries published the same version, once", () => {
    let woken = 0;
    news.listen("value/default/a", () => woken++);
    publish(0, "value/default/a", 1);
    publish(0, "value/default/a", 1);
    expect(woken).toBe(0);
    publish(1, "value/default/b", 1);
    publish(1, "value/default/a", 1);
    expect(woken).toBe(1);
    publish(2, "value/default/a", 1);
    expect(woken).toBe(1);
    publish(2, "value/default/a", 2);
    publish(1, "value/default/a", 2);
    expect(woken).toBe(2);
  });

  test("come to whoever follows what a name begins with", () => {
    const heard: string[] = [];
    const follower = {
      beginning: "value/default/a/",
      heard: (name: string) => heard.push(name),
      missed: () => {},
    };
    const stop = news.follow(follower);
    for (const name of ["value/default/a/1", "value/default/ab", "value/default/a/ü /2"])
      for (const place of [1, 2]) publish(place, name, 1);
    expect(heard).toEqual(["value/default/a/1", "value/default/a/ü /2"]);
    stop();
    for (const place of [0, 1]) publish(place, "value/default/a/1", 2);
    expect(heard).toHaveLength(2);
  });

  test("may have been missed until a primary is subscribed", () => {
    let [woken, missed] = [0, 0];
    news.listen("value/default/a", () => woken++);
    news.follow({ beginning: "value/default/", heard: () => {}, missed: () => missed++ });
    expect(news.heardOn("value/default/x")).toBe(0);
    for (const primary of primaries) primary.subscribed();
    expect([woken, missed, news.heardOn("value/default/x")]).toEqual([3, 3, 3]);
  });

  test("are subscribed once per kind and namespace, for as long as anybody listens, on one connection each", () => {
    expect(primaries).toHaveLength(0);
    const stops = ["value/default/a", "value/default/b", "value/team/a"].map((name) =>
      news.listen(name, () => {}),
    );
    expect(primaries).toHaveLength(3);
    expect(primaries[0]?.channels).toEqual([
      "q:registers/changed/value/default",
      "q:registers/changed/value/team",
    ]);
    for (const stop of stops) stop();
    for (const stop of stops) stop();
    expect(primaries[0]?.channels).toEqual([]);
    expect(primaries[0]?.calls).toEqual([
      "+q:registers/changed/value/team",
      "-q:registers/changed/value/default",
      "-q:registers/changed/value/team",
    ]);
  });

  test("of 2,000 registers at most are kept: of those that only a minority published, the oldest are forgotten", () => {
    const heard: string[] = [];
    news.follow({ beginning: "value/default/", heard: (name) => heard.push(name), missed: () => {} });
    for (let i = 0; i <= 2_000; i++) publish(0, `value/default/${i}`, 1);
    publish(1, "value/default/0", 1);
    publish(1, "value/default/2000", 1);
    expect(heard).toEqual(["value/default/2000"]);
  });
});
