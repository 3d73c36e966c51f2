import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cli } from "./cli.js";

let server: Server;
let url: string;
let answer: { readonly status: number; readonly body: string };

beforeEach(async () => {
  server = createServer((_, response) => response.writeHead(answer.status).end(answer.body));
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => server.close());

const COMMANDS = [
  "run nightly -- true",
  "get lock a",
  "get semaphore a",
  "get election a",
  "get member search search-1",
  "get owners search key",
  "list locks",
  "list holders a",
  "list services",
  "list members search",
  "watch election a",
  "break a --reason it-hangs",
  "primaries",
];

const JSON_OF_ITS_OWN = { status: 200, body: '{"status":"ok"}' };

describe("another server", () => {
  test.each(COMMANDS)("is not taken for an instance by quorate %s", async (command) => {
    answer = JSON_OF_ITS_OWN;
    const { code, out, err } = await cli(command.split(" "), { QUORATE_URL: url });
    expect({ code, out }).toEqual({ code: 69, out: "" });
    expect(err).toMatch(/^quorate: http:\S+ answered 200, and not as Quorate does\n$/);
  });

  test.each([
    ["a page", { status: 200, body: "<html>" }],
    ["no body", { status: 204, body: "" }],
    ["JSON of its own", JSON_OF_ITS_OWN],
  ])("is found by the doctor where it answers with %s", async (_, given) => {
    answer = given;
    const { code, out } = await cli(["doctor", "--json"], { QUORATE_URL: url });
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ healthy: false, findings: [{ id: "not-quorate" }] });
  });
});

test.each(["", ".", ".."])("%j is neither a name nor a namespace, and asks nobody", async (name) => {
  answer = { status: 200, body: "{}" };
  for (const args of [
    ["run", name, "--", "true"],
    ["elect", name, "--", "true"],
    ["get", "lock", name],
  ]) {
    const { code, err } = await cli(args, { QUORATE_URL: url });
    expect({ code, err }).toMatchObject({ code: 64, err: expect.stringMatching(/ name[: ]/) });
  }
  const { code, err } = await cli(["list", "locks", "--namespace", name], { QUORATE_URL: url });
  expect({ code, err }).toMatchObject({ code: 64, err: expect.stringMatching(/is no name/) });
});
