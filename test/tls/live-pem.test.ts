import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { ConfigError } from "../../src/config.js";
import { LivePem } from "../../src/tls/live-pem.js";
import { type Content, type Contents, judge, type Part, type PemFiles } from "../../src/tls/pem.js";
import { type Authority, authority, hasOpenssl, type Issued } from "../helpers/certificates.js";
import { FakeClock } from "../helpers/fake-clock.js";

const FILES: PemFiles = {
  cert: { path: "/tls/cert", named: 'CERT is "/tls/cert"' },
  key: { path: "/tls/key", named: 'KEY is "/tls/key"' },
  ca: { path: "/tls/ca", named: 'CA is "/tls/ca"' },
};

describe.skipIf(!hasOpenssl)("files of TLS", () => {
  let ca: Authority;
  let one: Issued;
  let two: Issued;
  let expired: Issued;
  beforeAll(async () => {
    ca = await authority("ca");
    [one, two, expired] = await Promise.all([
      ca.issue("one"),
      ca.issue("two"),
      ca.issue("old", { expired: true }),
    ]);
  });

  /** They are made after this file was loaded. */
  const nowMs = Date.now() + 3_600_000;
  const judged = (contents: Partial<Record<Part, string | Content>>) =>
    judge(
      FILES,
      Object.fromEntries(
        Object.entries(contents).map(([part, each]) => [
          part,
          typeof each === "string" ? { text: each } : each,
        ]),
      ) as Contents,
      nowMs,
    );

  describe("one clear line tells of", () => {
    const broken = () => one.cert.replace(/\n[A-Za-z0-9+/]{20}/, "\n");
    test.each<[string, () => Partial<Record<Part, string | Content>>, string]>([
      [
        "a file that cannot be read",
        () => ({ cert: { failure: "ENOENT" }, key: one.key }),
        'CERT is "/tls/cert", but the file cannot be read (ENOENT)',
      ],
      [
        "a certificate that is none",
        () => ({ cert: "hello", key: one.key }),
        'CERT is "/tls/cert", but the file has no certificate in PEM',
      ],
      [
        "a certificate that is cut",
        () => ({ cert: `${one.cert}${broken()}`, key: one.key }),
        'CERT is "/tls/cert", but certificate 2 in the file cannot be decoded',
      ],
      [
        "a key that is none",
        () => ({ cert: one.cert, key: one.cert }),
        'KEY is "/tls/key", but the file has no private key in PEM',
      ],
      [
        "a key with a passphrase",
        () => ({
          cert: one.cert,
          key: "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        }),
        'KEY is "/tls/key", but the key has a passphrase: store it without one',
      ],
      [
        "the key of another certificate",
        () => ({ cert: one.cert, key: two.key }),
        'KEY is "/tls/key", but this is not the key of the certificate',
      ],
      [
        "a CA that is no certificate",
        () => ({ cert: one.cert, key: one.key, ca: one.key }),
        'CA is "/tls/ca", but the file has no certificate in PEM',
      ],
    ])("%s", (_, contents, line) => {
      expect(judged(contents())).toEqual({ ok: false, mistakes: [line] });
    });

    test("each mistake, when there are several", () => {
      const reading = judged({ cert: "x", key: "y", ca: "z" });
      expect(reading.ok ? [] : reading.mistakes).toHaveLength(3);
    });

    test("a certificate that expired, without refusing it", () => {
      expect(judged({ cert: expired.cert, key: expired.key })).toMatchObject({
        ok: true,
        warnings: [
          expect.stringMatching(/^CERT is .* but the certificate of O=Quorate, CN=old expired on Jan {2}1/),
        ],
      });
    });

    test("a certificate that is not valid yet", () => {
      const reading = judge(FILES, { cert: { text: one.cert }, key: { text: one.key } }, 0);
      expect(reading).toMatchObject({ ok: true, warnings: [expect.stringContaining("is not valid before")] });
    });

    test("nothing, where there is none", () => {
      expect(judged({ ...one, ca: `${ca.cert}${ca.cert}` })).toMatchObject({ ok: true, warnings: [] });
    });
  });

  describe("while it runs", () => {
    let dir: string;
    let clock: FakeClock;
    let lines: string[];
    let changes: (string | undefined)[];
    beforeEach(async () => {
      dir = await mkdtemp(join(tmpdir(), "quorate-tls-"));
      clock = Object.assign(new FakeClock(), { wallMicros: () => nowMs * 1_000 });
      lines = [];
      changes = [];
      onTestFinished(() => rm(dir, { recursive: true }));
    });

    const path = (name: string) => join(dir, name);
    const write = (part: Part, text: string) => writeFile(path(part), text);
    const log = {
      info: (_: object, message: string) => void lines.push(`info ${message}`),
      warn: (line: object, message: string) => void lines.push(`warn ${message} ${JSON.stringify(line)}`),
    };
    function start(parts: readonly Part[] = ["cert", "key"]): LivePem {
      const files = Object.fromEntries(parts.map((part) => [part, { path: path(part), named: part }]));
      const live = new LivePem(files, clock, log);
      onTestFinished(() => live.close());
      lines.length = 0;
      live.onChange(({ cert }) => void changes.push(cert));
      return live;
    }
    async function started(): Promise<LivePem> {
      await Promise.all([write("cert", one.cert), write("key", one.key)]);
      return start();
    }
    /** Files are read by threads, whose time is real. */
    async function pass(ms: number): Promise<void> {
      for (let passedMs = 0; passedMs < ms; passedMs += 100) {
        await clock.advance(100);
        await sleep(10);
      }
    }

    test("a new certificate and key are in force within a second", async () => {
      const live = await started();
      await Promise.all([write("cert", two.cert), write("key", two.key)]);
      await pass(1_000);
      expect(live.pem).toEqual(two);
      expect(changes).toEqual([two.cert]);
      expect(lines).toEqual(["info new TLS files are in force for new connections"]);
    });

    test("a link that is swapped, as Kubernetes does it, is noticed by its content", async () => {
      for (const [folder, { cert, key }] of [["..1", one] as const, ["..2", two] as const]) {
        await mkdir(path(folder));
        await Promise.all([writeFile(path(`${folder}/cert`), cert), writeFile(path(`${folder}/key`), key)]);
      }
      await symlink("..1", path("..data"));
      await Promise.all([symlink("..data/cert", path("cert")), symlink("..data/key", path("key"))]);
      const live = start();
      await symlink("..2", path("..data_tmp"));
      await rename(path("..data_tmp"), path("..data"));
      await pass(1_000);
      expect(live.pem).toEqual(two);
    });

    test("a certificate whose key comes a moment later is not refused meanwhile", async () => {
      const live = await started();
      await write("cert", two.cert);
      await pass(400);
      await write("key", two.key);
      await pass(1_200);
      expect(live.pem).toEqual(two);
      expect(lines).toEqual(["info new TLS files are in force for new connections"]);
    });

    test.each<[string, () => Promise<void>, string]>([
      ["with another key", () => write("key", two.key), "not the key of the certificate"],
      ["that are gone", () => rm(path("cert")), "cannot be read (ENOENT)"],
      ["that are cut", () => write("cert", one.cert.slice(0, 200)), "no certificate in PEM"],
    ])("files %s are refused once, and the old stay in force", async (_, spoil, why) => {
      const live = await started();
      await spoil();
      await pass(3_000);
      expect(live.pem).toEqual(one);
      expect(changes).toEqual([]);
      expect(lines).toEqual([expect.stringContaining(why)]);
      expect(lines[0]).toMatch(/^warn new TLS files are refused/);
      await Promise.all([write("cert", two.cert), write("key", two.key)]);
      await pass(1_000);
      expect(live.pem, "and it goes on").toEqual(two);
    });

    test("a signal has them read at once", async () => {
      const live = await started();
      await Promise.all([write("cert", two.cert), write("key", two.key)]);
      await live.reload();
      expect(live.pem).toEqual(two);
    });

    test("without a change nothing is done or said", async () => {
      const live = await started();
      await live.reload();
      await pass(2_000);
      expect([changes, lines]).toEqual([[], []]);
    });

    test("the start fails with all mistakes", async () => {
      await write("cert", "x");
      const begin = () =>
        new LivePem(
          { cert: { path: path("cert"), named: "cert" }, ca: { path: path("ca"), named: "ca" } },
          clock,
          log,
        );
      expect(begin).toThrow(ConfigError);
      expect(begin).toThrow(
        "ca, but the file cannot be read (ENOENT)\ncert, but the file has no certificate in PEM",
      );
      expect(clock.pending).toBe(0);
    });
  });
});
