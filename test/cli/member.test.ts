import { beforeAll, describe, expect, test } from "vitest";
import type { Quorate } from "../../src/client/quorate.js";
import { Pair } from "../helpers/pair.js";
import { freshName, until } from "../helpers/service.js";
import { cli, clientsOf, Folder, isAlive, startCli } from "./cli.js";

const pair = new Pair();
const folder = new Folder();
let quorate: Quorate;
let env: { QUORATE_URL: string };
beforeAll(async () => {
  ({ quorate, env } = await clientsOf(pair));
});

const members = async (service: string) =>
  (await pair.one.call("GET", `/v1/services/${service}/members`)).body.members;
const as = (id: string) => ["--id", id, "--address", "10.0.0.7:9000"];

describe.concurrent("quorate member", { timeout: 60_000 }, () => {
  test("registers the member while the command runs, with all that is said of it", async () => {
    const service = freshName();
    const more = [
      "--weight",
      "2.5",
      "--zone",
      "z",
      "--tag",
      "a",
      "--tag",
      "b",
      "--metadata",
      '{"c":1}',
      "--ttl",
      "20s",
    ];
    const script = `echo $QUORATE_NAME $QUORATE_MEMBER_ID > ${folder.file(service)}; sleep 60`;
    const run = startCli(["member", service, ...as("one"), ...more, "--", "sh", "-c", script], env);
    expect(await folder.written(service)).toBe(`${service} one`);
    expect(await members(service)).toMatchObject([
      {
        id: "one",
        address: "10.0.0.7:9000",
        weight: 2.5,
        zone: "z",
        tags: ["a", "b"],
        metadata: { c: 1 },
        ttlMs: 20_000,
      },
    ]);
    run.child.kill("SIGTERM");
    expect(await run.ended).toBe(143);
    expect(await members(service)).toEqual([]);
  });

  test("keeps it a member for longer than its time to live", async () => {
    const service = freshName();
    const run = startCli(
      ["member", service, ...as("one"), "--ttl", "4s", "--", "sh", "-c", "sleep 7; exit 3"],
      env,
    );
    await until(async () => (await members(service)).length === 1, "it is a member", 20_000);
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    expect(await members(service)).toHaveLength(1);
    expect(await run.ended).toBe(3);
    expect(await members(service)).toEqual([]);
  });

  test("ends the command when another takes the id, with 76", async () => {
    const service = freshName();
    const run = startCli(
      [
        "member",
        service,
        ...as("one"),
        "--ttl",
        "3s",
        "--",
        "sh",
        "-c",
        `echo $$ > ${folder.file(service)}; sleep 60`,
      ],
      env,
    );
    const pids = await folder.pids(service);
    await using _other = await quorate.join(service, { id: "one", address: "elsewhere" });
    expect(await run.ended).toBe(76);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(run.err()).toMatch(/^quorate: one of name-\d+ is no member any more: [^\n]+\n$/);
    expect(await members(service)).toMatchObject([{ address: "elsewhere" }]);
  });

  test("is killed: the command ends with it", async () => {
    const service = freshName();
    const run = startCli(
      ["member", service, ...as("one"), "--", "sh", "-c", `echo $$ > ${folder.file(service)}; sleep 60`],
      env,
    );
    const pids = await folder.pids(service);
    run.child.kill("SIGKILL");
    await until(() => pids.filter(isAlive).length === 0, "the command has ended");
  });

  test("without an instance does not run the command", async () => {
    const service = freshName();
    const { code, err } = await cli(["member", service, ...as("one"), "--", "touch", folder.file(service)], {
      QUORATE_URL: "http://127.0.0.1:9",
    });
    expect([code, err]).toEqual([69, expect.stringMatching(/^quorate: no instance answered[^\n]+\n$/)]);
    await expect(folder.written(service, 10)).rejects.toThrow();
  });
});
