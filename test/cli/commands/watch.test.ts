import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshName, type Instance, startInstance, until } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";
import { type Cli, startCli } from "../cli.js";
import { against } from "./reading.js";

let instance: Instance;
let url: string;
beforeAll(async () => {
  instance = await startInstance((await sharedPrimaries()).urls);
  url = await instance.url();
});
afterAll(async () => {
  await instance[Symbol.asyncDispose]();
});

const started = new Set<Cli>();
const watch = (at: string, ...args: string[]): Cli => watchKind("elections", at, ...args);
function watchKind(kind: string, at: string, ...args: string[]): Cli {
  const cli = startCli(["watch", kind, ...args], { QUORATE_URL: at });
  started.add(cli);
  return cli;
}
afterAll(async () => {
  for (const { child } of started) child.kill("SIGKILL");
  await Promise.all([...started].map(({ ended }) => ended));
});

const campaign = async (name: string, candidate: string) =>
  (
    await instance.call("POST", `/v1/elections/${name}/campaign`, {
      ttlMs: 60_000,
      candidate,
      value: { n: 1 },
    })
  ).body;
const resign = (name: string, leaseId: string) =>
  instance.call("POST", `/v1/elections/${name}/resign`, { leaseId });
const lines = (cli: Cli) => cli.out().trimEnd().split("\n");

describe("members that are watched", () => {
  const put = (service: string, id: string) =>
    instance.call("PUT", `/v1/services/${service}/members/${id}`, { address: `${id}:9000` });

  test("have a line each at the beginning, and one whenever one comes, goes or changes", async () => {
    const service = freshName("search");
    await put(service, "a");
    const cli = watchKind("members", url, service);
    const tells = (line: string) => until(() => cli.out().includes(line), `it tells: ${line}`, 30_000);
    await tells(`${service}  a  is up at a:9000`);
    await put(service, "b");
    await tells(`${service}  b  joined: is up at b:9000`);
    await instance.call("PATCH", `/v1/services/${service}/members/b`, { status: "draining" });
    await tells(`${service}  b  draining: drains; changed: status`);
    await instance.call("PATCH", `/v1/services/${service}/members/b`, { weight: 2, zone: "z" });
    await tells(`${service}  b  updated: changed: weight, zone; drains, weight 2, zone z, tags -`);
    await instance.call("DELETE", `/v1/services/${service}/members/a`);
    await tells(`${service}  a  left`);
    expect(lines(cli)).toHaveLength(5);
    cli.child.kill("SIGINT");
    expect([await cli.ended, cli.err()]).toEqual(["SIGINT", ""]);
  }, 60_000);

  test("are lists as the API answers them, with --json", async () => {
    const service = freshName("search");
    const cli = watchKind("members", url, service, "--json");
    await until(() => cli.out() !== "", "it tells that there is nobody", 30_000);
    await put(service, "a");
    await until(() => lines(cli).length === 2, "it tells of the member", 30_000);
    const lists = lines(cli).map((line) => JSON.parse(line));
    expect(lists.map((list) => [list.service, list.members.length])).toEqual([
      [service, 0],
      [service, 1],
    ]);
    expect(lists.map(({ events }) => events.map((one: { event: string }) => one.event))).toEqual([
      [],
      ["joined"],
    ]);
  }, 60_000);

  test("are followed at another instance when the one that was asked is away, and if none answers it says so", async () => {
    const { urls } = await sharedPrimaries();
    const service = freshName("search");
    const [first, last] = [
      await startInstance(urls, { prefix: instance.prefix }),
      await startInstance(urls, { prefix: instance.prefix }),
    ];
    const cli = watchKind("members", `${await first.url()},${await last.url()}`, service);
    await until(() => cli.out() !== "", "it tells that there is nobody", 30_000);
    await first[Symbol.asyncDispose]();
    await put(service, "a");
    await until(() => cli.out().includes("a  joined"), "the other instance tells", 30_000);
    expect(cli.err()).toBe("");
    await last[Symbol.asyncDispose]();
    await until(() => cli.err() !== "", "it says that nobody answers", 30_000);
    expect(cli.err()).toMatch(new RegExp(`^quorate: ${service}: .* It is asked again\n$`));
  }, 90_000);

  test("that cannot be read at the beginning end it with 69", async () => {
    const { code, err } = await against("http://127.0.0.1:9", "watch", "members", "search");
    expect([code, err]).toEqual([69, expect.stringMatching(/^quorate: [^\n]+\n$/)]);
  }, 40_000);
});

describe("elections that are watched", () => {
  test("have a line for the state at the beginning, and for each change", async () => {
    const name = freshName("billing");
    const cli = watch(url, name);
    await until(() => lines(cli).length === 1 && cli.out() !== "", "it tells that nobody leads");
    const { leaseId, term } = await campaign(name, "worker-7");
    await until(() => lines(cli).length === 2, "it tells of the leader");
    await resign(name, leaseId);
    await until(() => lines(cli).length === 3, "it tells that nobody leads again");
    const time = String.raw`\d\d:\d\d:\d\d`;
    expect(lines(cli).map((line) => line.replace(new RegExp(`^${time}  `), ""))).toEqual([
      `${name}  nobody leads`,
      `${name}  worker-7 leads, term ${term}: {"n":1}`,
      `${name}  nobody leads`,
    ]);
    cli.child.kill("SIGINT");
    expect([await cli.ended, cli.err()]).toEqual(["SIGINT", ""]);
  });

  test("may be several, each once, and are lines of JSON as the API answers", async () => {
    const [one, other] = [freshName("one"), freshName("other")];
    await campaign(one, "\u001b[31mred");
    const cli = watch(url, one, other, one, "--json");
    await until(() => lines(cli).length === 2, "it tells of both");
    const states = lines(cli).map((line) => JSON.parse(line));
    expect(states.map(({ name, leader }) => [name, leader?.candidate]).sort()).toEqual([
      [one, "\u001b[31mred"],
      [other, undefined],
    ]);
    expect(cli.out()).not.toContain("\u001b");
  });

  test("are followed at another instance when the one that was asked is away", async () => {
    const { urls } = await sharedPrimaries();
    const name = freshName("away");
    const first = await startInstance(urls, { prefix: instance.prefix });
    const cli = watch(`${await first.url()},${url}`, name);
    await until(() => cli.out() !== "", "it tells the state");
    await first[Symbol.asyncDispose]();
    await campaign(name, "worker-8");
    await until(() => cli.out().includes("worker-8 leads"), "the other instance tells");
    expect(cli.err()).toBe("");
  });

  test("that cannot be read at the beginning end it with 69", async () => {
    const { code, err } = await against("http://127.0.0.1:9", "watch", "elections", "billing");
    expect(code).toBe(69);
    expect(err).toMatch(/^quorate: [^\n]+\n$/);
  }, 40_000);
});

describe("wrong use is one line, and ends with 64:", () => {
  test.each([
    { args: ["locks", "orders-42"], says: "has events of elections, registers and members only" },
    { args: ["owners", "search"], says: "has events of elections, registers and members only" },
    { args: ["elections"], says: "missing required argument" },
    { args: ["elections", "a", "b/c"], says: '"b/c" is no name' },
  ])("$args", async ({ args, says }) => {
    const { code, out, err } = await against(url, "watch", ...args);
    expect([code, out]).toEqual([64, ""]);
    expect(err).toContain(says);
    expect(err).toMatch(/^quorate: [^\n]+\n$/);
  });
});
