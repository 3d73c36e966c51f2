import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Authority, authority, hasOpenssl, type Issued } from "../helpers/certificates.js";
import { type ServiceProcess, startProcess } from "../helpers/process.js";
import { until } from "../helpers/service.js";

const hasWget = spawnSync("wget", ["--version"]).status === 0;

describe.skipIf(!hasOpenssl)("the service with TLS", () => {
  let ca: Authority;
  let one: Issued;
  let expired: Issued;
  beforeAll(async () => {
    ca = await authority("ca");
    [one, expired] = await Promise.all([ca.issue("one"), ca.issue("old", { expired: true })]);
  });
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "quorate-tls-"));
  });
  afterEach(() => rm(dir, { recursive: true }));
  const path = (name: string) => join(dir, name);
  const install = ({ cert, key }: Issued) =>
    Promise.all([writeFile(path("cert"), cert), writeFile(path("key"), key)]);

  // What it says of its primaries does not matter here.
  const start = (env: Record<string, string> = {}): ServiceProcess =>
    startProcess({
      REDIS_URLS: "redis://127.0.0.1:1",
      QUORATE_TLS_CERT: path("cert"),
      QUORATE_TLS_KEY: path("key"),
      ...env,
    });

  async function certificateOf(url: string): Promise<string | undefined> {
    const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const subject = socket.getPeerX509Certificate()?.subject.split("CN=")[1];
    socket.destroy();
    return subject;
  }

  test("does not start with files that cannot be used, and says why, in one line each", async () => {
    await writeFile(path("cert"), "hello");
    await using service = start({ REDIS_URLS: `rediss://127.0.0.1:1?ca=${path("none")}` });
    expect(await service.ended).toBe(1);
    expect(service.err().trim().split("\n").sort()).toEqual([
      `quorate: QUORATE_TLS_CERT is "${path("cert")}", but the file has no certificate in PEM`,
      `quorate: QUORATE_TLS_KEY is "${path("key")}", but the file cannot be read (ENOENT)`,
      "quorate: REDIS_URLS, entry 1 has a parameter ca, but the file cannot be read (ENOENT)",
    ]);
  });

  test("warns of a certificate that expired, reads another on SIGHUP, refuses a broken one, and stops", async () => {
    await install(expired);
    await using service = start();
    const url = await service.listening;
    expect(url).toMatch(/^https:/);
    expect(service.out()).toContain("CN=old expired on");
    expect(await certificateOf(url)).toBe("old");
    await install(one);
    service.kill("SIGHUP");
    await until(() => service.out().includes("new TLS files are in force"), "it reads them");
    expect(await certificateOf(url)).toBe("one");
    await writeFile(path("key"), expired.key);
    service.kill("SIGHUP");
    await until(() => service.out().includes("new TLS files are refused"), "it refuses them");
    expect(service.out()).toContain("this is not the key of the certificate");
    expect(await certificateOf(url)).toBe("one");
    service.kill("SIGTERM");
    expect(await service.ended).toBe(0);
    expect(service.out()).not.toContain("PRIVATE KEY");
  });

  test("of several workers has the new certificate in each of them after SIGHUP", async () => {
    await install(expired);
    await using service = start({ QUORATE_WORKERS: "2" });
    const url = await service.listening;
    expect(await certificateOf(url)).toBe("old");
    await install(one);
    service.kill("SIGHUP");
    const inForce = () => service.out().split("new TLS files are in force").length - 1;
    await until(() => inForce() === 2, "both read them");
    for (let i = 0; i < 10; i++) expect(await certificateOf(url)).toBe("one");
    service.kill("SIGTERM");
    expect(await service.ended).toBe(0);
  });

  test.skipIf(!hasWget).each([true, false])(
    "answers the health check of the image (TLS: %s)",
    async (withTls) => {
      await install(one);
      await writeFile(path("ca"), ca.cert);
      // No health check has a client certificate.
      const env = withTls
        ? { QUORATE_TLS_CLIENT_CA: path("ca") }
        : { QUORATE_TLS_CERT: "", QUORATE_TLS_KEY: "" };
      await using service = start(env);
      const url = await service.listening;
      const dockerfile = await readFile(new URL("../../Dockerfile", import.meta.url), "utf8");
      const [, check = ""] = /HEALTHCHECK [^\n]*\\\n\s+CMD (.*)/.exec(dockerfile) ?? [];
      expect(check).toContain("/livez");
      const run = (port: string) =>
        spawnSync("sh", ["-c", check], {
          env: { PATH: process.env.PATH, PORT: port, ...(withTls && { QUORATE_TLS_CERT: path("cert") }) },
        }).status;
      expect([run(new URL(url).port), run("1")]).toEqual([0, 1]);
    },
  );
});
