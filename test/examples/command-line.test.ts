import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import { type Instance, startInstance, until } from "../helpers/service.js";
import { sharedPrimaries } from "../helpers/shared-primaries.js";
import { Checkout, has, hasPython, PATIENCE_MS, root } from "./checkout.js";

vi.setConfig({ testTimeout: 4 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

// The lines of README.md, docs/cookbook.md and examples/cron/crontab, with `quorate` on the PATH.

const checkout = new Checkout();
let instance: Instance;
let env: Record<string, string>;

beforeAll(async () => {
  instance = await startInstance((await sharedPrimaries()).urls);
  await mkdir(checkout.path("bin"));
  const quorate = `#!/bin/sh\nexec "${process.execPath}" "${checkout.path("dist/cli/main.js")}" "$@"\n`;
  await writeFile(checkout.path("bin/quorate"), quorate, { mode: 0o755 });
  env = { QUORATE_URL: await instance.url(), PATH: `${checkout.path("bin")}:${process.env.PATH}` };
  return () => instance[Symbol.asyncDispose]();
});

const read = (file: string) => readFile(join(root, file), "utf8");

/** The command in a document that begins so, up to the end of its line or of its backticks. */
async function commandIn(file: string, start: string): Promise<string> {
  const text = await read(file);
  const at = text.indexOf(start);
  if (at < 0) throw new Error(`${file} has no ${start}`);
  return (/^[^\n`]*/.exec(text.slice(at)) as RegExpExecArray)[0];
}

const shell = (line: string, folder = ".") => checkout.start(folder, ["bash", "-c", line], env);

/** Makes a program at the root of the checkout. */
async function script(name: string, text: string): Promise<string> {
  await writeFile(checkout.path(name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return checkout.path(name);
}

test("README.md: a second command is refused while the first runs, or waits for it", async () => {
  const [, block = ""] = /```sh\nalias (quorate=[^`]*)```/.exec(await read("README.md")) ?? [];
  const [alias, first = "", , second = "", third = ""] = block.trim().split("\n");
  expect(alias).toBe('quorate="node $PWD/dist/cli/main.js"');
  const working = shell(first.replace(/&$/, "").replace("sleep 20", "sleep 8"));
  await until(() => working.lines().length === 1, "the first works", PATIENCE_MS);
  expect(working.lines()[0]).toMatch(/^working, token \d+$/);
  const refused = shell(second);
  expect([await refused.ended, refused.lines()]).toEqual([75, []]);
  const waited = shell(third);
  expect([await waited.ended, waited.lines()]).toEqual([0, ["as soon as the first ends"]]);
  expect(await working.ended).toBe(0);
});

test("crontab: the report is made on one machine, and not again by one whose clock is behind", async () => {
  const line = (await read("examples/cron/crontab"))
    .split("\n")
    .find((each) => each.startsWith("0 3 * * * "));
  const report = await script("nightly-report", "echo report >>reports; sleep 1");
  const command = line?.replace("0 3 * * * ", "").replace("/srv/reports/nightly-report", report) ?? "";
  expect(command).toContain(report);
  const machines = [shell(command), shell(command), shell(command)];
  for (const machine of machines) expect([await machine.ended, machine.err()]).toEqual([0, ""]);
  const late = shell(command);
  expect([await late.ended, late.err()]).toEqual([0, ""]);
  expect(await readFile(checkout.path("reports"), "utf8")).toBe("report\n");
});

test("cookbook.md: two reports at a time, of four", async () => {
  // The first waits for the second, so that there are two at a time for sure.
  const untilTwo = "while [ $(wc -l <made) -lt 2 ]; do sleep 0.1; done";
  await script("make-report", `echo begins >>made; ${untilTwo}; sleep 0.5; echo ends >>made`);
  const command = await commandIn("docs/cookbook.md", "quorate run reports --limit 2");
  const all = Array.from({ length: 4 }, () => shell(command));
  for (const each of all) expect([await each.ended, each.err()]).toEqual([0, ""]);
  let running = 0;
  const seen = (await readFile(checkout.path("made"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => (line === "begins" ? ++running : --running));
  expect([seen.length, Math.max(...seen), running]).toEqual([8, 2, 0]);
});

test.skipIf(!hasPython || !has("sqlite3"))(
  "ship_sqlite.py: the token of the lock reaches the row (skipped without python3 or sqlite3)",
  async () => {
    const folder = "examples/fencing";
    const insert = "INSERT INTO orders (id, status) VALUES (42, 'paid')";
    expect(await shell(`sqlite3 orders.db '.read sqlite.sql' "${insert}"`, folder).ended).toBe(0);
    const command = await commandIn("examples/fencing/ship_sqlite.py", "quorate run order-42");
    const shipping = shell(
      command.replace(/-- (.*)/, `-- sh -c 'echo $QUORATE_FENCING_TOKEN; exec $1'`),
      folder,
    );
    expect([await shipping.ended, shipping.err()]).toEqual([0, ""]);
    const row = shell("sqlite3 orders.db 'SELECT fencing_token FROM orders'", folder);
    await row.ended;
    expect(row.lines()).toEqual(shipping.lines());
    expect(Number(row.lines()[0])).toBeGreaterThan(1e15);
  },
);

test("cookbook.md: a program runs where its machine leads, and on another one when that dies", async () => {
  await script("send-invoices", 'echo "leads, $QUORATE_FENCING_TOKEN" >>leaders; exec sleep 600');
  const line = await commandIn("docs/cookbook.md", "quorate elect billing");
  const command = line.replace("elect", "elect --ttl 3s");
  const leaders = async () =>
    (await readFile(checkout.path("leaders"), "utf8").catch(() => "")).split("\n").slice(0, -1);
  const machines = [
    checkout.start(".", command.split(" "), env),
    checkout.start(".", command.split(" "), env),
  ];
  await until(async () => (await leaders()).length === 1, "one leads", PATIENCE_MS);
  const { leader } = await instance.service.elections.inspect("billing");
  const first = machines.findIndex(({ pid }) => String(leader?.candidate).endsWith(`:${pid}`));
  expect(first).toBeGreaterThanOrEqual(0);
  machines[first]?.kill("SIGKILL");
  await until(async () => (await leaders()).length === 2, "the other leads", PATIENCE_MS);
  const tokens = (await leaders()).map((each) => Number(each.split(" ")[1]));
  expect(tokens[1]).toBeGreaterThan(tokens[0] as number);
  machines[1 - first]?.kill("SIGTERM");
  await machines[1 - first]?.ended;
});

test("cookbook.md: a server is a member while it runs", async () => {
  await script("server", "exec sleep 600");
  const command = await commandIn("docs/cookbook.md", "quorate member things");
  const server = checkout.start(".", command.split(" "), env);
  const members = async () => (await instance.call("GET", "/v1/services/things/members")).body.members;
  await until(async () => (await members()).length === 1, "it is a member", PATIENCE_MS);
  expect(await members()).toMatchObject([{ id: "things-1", address: "10.0.0.1:9000" }]);
  server.kill("SIGTERM");
  await server.ended;
  expect(await members()).toEqual([]);
});
