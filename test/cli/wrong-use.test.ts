import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cli } from "./cli.js";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "quorate-cli-"));
  await writeFile(join(dir, "empty"), "\n");
  await writeFile(join(dir, "binary"), "a\u0000b");
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe.concurrent("wrong use is one line and 64:", () => {
  test.each<[args: string, says: RegExp, env?: Record<string, string>]>([
    ["bogus", /unknown command 'bogus'/],
    ["rnu", /Did you mean run\?/],
    ["--bogus", /unknown option '--bogus'/],
    ["run", /NAME|name/],
    ["run a", /after --: quorate run a -- COMMAND/],
    ["run a --", /after --/],
    ["run a sleep 1", /put -- before the command/],
    ["run a b -- true", /run/],
    ["run --bogus a -- true", /unknown option '--bogus'/],
    ["run a --ttl 3 -- true", /'3' is invalid.*500ms, 3s, 5m or 1h/],
    ["run a --ttl 3x -- true", /500ms, 3s, 5m or 1h/],
    ["run a --wait 1.5s -- true", /500ms, 3s, 5m or 1h/],
    ["run a --wait -1s -- true", /500ms, 3s, 5m or 1h/],
    ["run a --ttl -- true", /'--ttl <duration>' argument missing/],
    ["run a --if-held wait -- true", /fail, skip/],
    ["run a --permits 1 -- true", /--permits needs --limit/],
    ["run a --permits 3 --limit 2 -- true", /--permits 3 can never be had of --limit 2/],
    ["run a --limit 0 -- true", /whole number from 1 on/],
    ["run a --shared --limit 2 -- true", /--shared .* --limit/],
    ["run a --metadata {a -- true", /must be JSON/],
    ["run a --metadata 1e999 -- true", /cannot be represented exactly/],
    ["run a --key s3cret -- true", /QUORATE_KEY_FILE/],
    ["run a --key=s3cret -- true", /QUORATE_KEY_FILE/],
    ["run a --url ftp://b -- true", /--url: "ftp:\/\/b" is no URL/],
    ["run a --url http://b,c -- true", /--url: "c" is no URL/],
    ["run a --url http://u:s3cret@b -- true", /neither|must not have a user or password/],
    ["run a -- true", /QUORATE_URL: "b:1" is no URL/, { QUORATE_URL: "b:1" }],
    ["run a -- true", /both set/, { QUORATE_KEY: "s3cret", QUORATE_KEY_FILE: "b" }],
    ["run a -- true", /cannot be read/, { QUORATE_KEY_FILE: "/no/such/file" }],
    ["run a -- true", /which is empty/, { QUORATE_KEY_FILE: "DIR/empty" }],
    ["run a -- true", /not ASCII/, { QUORATE_KEY_FILE: "DIR/binary" }],
    ["run a -- true", /not ASCII/, { QUORATE_KEY: "s3 cret" }],
    ["elect", /NAME|name/],
    ["elect a", /after --: quorate elect a -- COMMAND/],
    ["elect a --value {a -- true", /must be JSON/],
    ["member", /--id|name/],
    ["member a --id b -- true", /--address/],
    ["member a --id b --address c", /after --/],
    ["member a --id b --address c --weight x -- true", /number/],
    ["serve --url http://a", /serve asks no instance/],
    ["serve -- true", /nothing may follow --/],
  ])("quorate %s", async (args, says, env = {}) => {
    const named = Object.entries(env).map(([name, value]) => [name, value.replace("DIR", dir)]);
    const { code, out, err } = await cli(args.split(" "), Object.fromEntries(named));
    expect([code, out]).toEqual([64, ""]);
    expect(err).toMatch(/^quorate: [^\n]+\n$/);
    expect(err).toMatch(says);
    expect(err).not.toMatch(/s3 ?cret|\n +at /);
  });

  test("also as JSON, where that is asked for", async () => {
    const { code, err } = await cli(["run", "a", "--json"]);
    expect([code, JSON.parse(err)]).toEqual([
      64,
      { error: expect.stringContaining("after --"), exitCode: 64 },
    ]);
  });
});

describe.concurrent("quorate", () => {
  test("without a command shows the help, and fails", async () => {
    const { code, out, err } = await cli([]);
    expect([code, out]).toEqual([64, ""]);
    expect(err).toContain("quorate run nightly");
  });

  test.each(["--help", "-h", "help"])("%s shows all commands", async (option) => {
    const { code, out, err } = await cli([option]);
    expect([code, err]).toEqual([0, ""]);
    for (const command of ["run", "elect", "member", "serve"])
      expect(out).toMatch(new RegExp(`^  ${command} `, "m"));
  });

  test.each(["run", "elect", "member", "serve"])("%s has a help with examples", async (command) => {
    const [one, other] = await Promise.all([cli([command, "--help"]), cli(["help", command])]);
    expect(one).toEqual({ code: 0, out: expect.stringContaining("Examples:"), err: "" });
    expect(one.out).toContain(`quorate ${command}`);
    expect(other).toEqual(one);
  });

  test("--version is that of the package", async () => {
    expect(await cli(["--version"])).toEqual({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      err: "",
    });
  });
});
