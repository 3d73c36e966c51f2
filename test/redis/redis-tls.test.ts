import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/clock.js";
import { ConfigError, readConfig } from "../../src/config.js";
import { type Connection, connectByIoredis } from "../../src/redis/connection.js";
import { RedisTls } from "../../src/redis/redis-tls.js";
import { type Authority, authority, hasOpenssl, type Issued } from "../helpers/certificates.js";
import { freePort, startPrimaries, type TestPrimary } from "../helpers/primaries.js";
import { currentRun } from "../helpers/run.js";
import { startInstance, until } from "../helpers/service.js";

const isProcess = (await currentRun()).kind === "process";

interface TlsPrimary extends TestPrimary {
  readonly tlsPort: number;
  close(): Promise<void>;
}

// A server in a container has no folder of this machine for its certificates.
describe.skipIf(!hasOpenssl || !isProcess)("primaries over TLS", () => {
  let ca: Authority;
  let otherCa: Authority;
  let server: Issued;
  let named: Issued;
  let client: Issued;
  let strange: Issued;
  /** What the servers have. Tests have folders of their own. */
  let dir: string;
  let primaries: readonly TlsPrimary[];
  let strict: TlsPrimary;
  beforeAll(async () => {
    [ca, otherCa] = await Promise.all([authority("redis"), authority("others")]);
    [server, named, client, strange] = await Promise.all([
      ca.issue("server"),
      ca.issue("named", { san: "DNS:primary.example" }),
      ca.issue("quorate"),
      otherCa.issue("strange"),
    ]);
    dir = await mkdtemp(join(tmpdir(), "quorate-redis-tls-"));
    for (const [name, { cert, key }] of Object.entries({ server, named })) {
      await writeFile(join(dir, `${name}.cert`), cert);
      await writeFile(join(dir, `${name}.key`), key);
    }
    await writeFile(join(dir, "ca"), ca.cert);
    [strict, ...primaries] = await Promise.all([
      startTls("named", "yes"),
      ...Array.from({ length: 3 }, () => startTls("server", "no")),
    ]);
  });
  afterAll(async () => {
    await Promise.all([strict, ...primaries].map((primary) => primary?.close()));
    await rm(dir, { recursive: true });
  });

  /** With a plain port as well, by which the helpers find that it is ready. */
  async function startTls(name: string, clients: "yes" | "no"): Promise<TlsPrimary> {
    const tlsPort = await freePort();
    const started = await startPrimaries(1, {
      args: [
        ...[
          "--tls-port",
          String(tlsPort),
          "--tls-ca-cert-file",
          join(dir, "ca"),
          "--tls-auth-clients",
          clients,
        ],
        ...["--tls-cert-file", join(dir, `${name}.cert`), "--tls-key-file", join(dir, `${name}.key`)],
      ],
    });
    const [primary] = started.all;
    if (!primary) throw new Error("not started");
    return { ...primary, tlsPort, close: started.close };
  }
  const urlOf = ({ tlsPort }: TlsPrimary, parameters: Record<string, string> = {}) => {
    const query = new URLSearchParams(parameters).toString();
    return `rediss://127.0.0.1:${tlsPort}${query && `?${query}`}`;
  };

  let own: string;
  beforeEach(async () => {
    own = await mkdtemp(join(tmpdir(), "quorate-redis-tls-"));
    const files = {
      ca: ca.cert,
      other: otherCa.cert,
      cert: client.cert,
      key: client.key,
      strange: strange.cert,
    };
    for (const [name, text] of Object.entries({ ...files, strangeKey: strange.key })) await write(name, text);
    onTestFinished(() => rm(own, { recursive: true }));
  });
  const path = (name: string) => join(own, name);
  const write = (name: string, text: string) => writeFile(path(name), text);
  const log = { info: () => {}, warn: () => {} };

  function connectOne(url: string, env: Record<string, string> = {}) {
    const tls = new RedisTls(readConfig({ REDIS_URLS: url, ...env }), systemClock, log);
    const connection = tls.connecting(connectByIoredis)(url, { connectTimeoutMs: 1_000, name: "quorate" });
    const reasons: string[] = [];
    connection.onChange((_, reason) => void (reason && reasons.push(reason.message)));
    onTestFinished(() => {
      connection.close();
      tls.close();
    });
    return { tls, connection, reasons };
  }
  const answers = async (connection: Connection) => {
    await until(() => connection.ready, "it is connected");
    return connection.call("PING");
  };
  const first = () => primaries[0] as TlsPrimary;

  test("serve locks, with a CA for all of them", async () => {
    await using instance = await startInstance(
      primaries.map((primary) => urlOf(primary)),
      { env: { QUORATE_REDIS_TLS_CA: path("ca") } },
    );
    const acquired = await instance.call("POST", "/v1/locks/a/acquire", { ttlMs: 5_000 });
    expect(acquired.status).toBe(200);
    // The subscriptions are over TLS, too.
    const waiting = instance.call("POST", "/v1/locks/a/acquire", { ttlMs: 5_000, waitMs: 5_000 });
    await until(async () => {
      const { body } = await instance.call("GET", "/v1/locks/a");
      return body.waiting === 1;
    }, "it waits");
    await instance.call("POST", "/v1/locks/a/release", { leaseId: acquired.body.leaseId });
    expect((await waiting).status).toBe(200);
  });

  test("whose CA is another are misconfigured, with a reason, and are found once the file is right", async () => {
    const [one, two, three] = primaries.map((primary) => urlOf(primary)) as [string, string, string];
    await write("other-file", otherCa.cert);
    const url = `${three}?ca=${path("other-file")}`;
    const env = { QUORATE_REDIS_TLS_CA: path("ca"), QUORATE_LOG_LEVEL: "trace" };
    // A new deployment needs all of them.
    await using before = await startInstance([one, two, three], { env });
    await using instance = await startInstance([one, two, url], { env, prefix: before.prefix, up: 2 });
    const last = async () => (await instance.call("GET", "/v1/primaries")).body.primaries[2];
    await until(
      async () => /^certificate of the server is not trusted/.test((await last()).reason ?? ""),
      "it says so",
    );
    expect(await last()).toMatchObject({ state: "misconfigured", address: new URL(three).host });
    await write("other-file", ca.cert);
    await until(async () => (await last()).state === "up", "it takes part");
    const told =
      instance.logged.join("\n") + JSON.stringify((await instance.call("GET", "/v1/primaries")).body);
    expect(told).not.toContain("other-file");
  });

  test("without a CA are judged by those of the system", async () => {
    const { reasons } = connectOne(urlOf(first()));
    await until(() => reasons.length > 0, "it fails");
    expect(reasons[0]).toMatch(
      /^certificate of the server is not trusted \(.*\): set QUORATE_REDIS_TLS_CA to its CA$/,
    );
  });

  test("that want a client certificate get it, under the name that the URL says", async () => {
    const url = urlOf(strict, { cert: path("cert"), key: path("key"), servername: "primary.example" });
    const { connection } = connectOne(url, { QUORATE_REDIS_TLS_CA: path("ca") });
    expect(await answers(connection)).toBe("PONG");
  });

  test("that want a client certificate and get none, or another, say so", async () => {
    const env = { QUORATE_REDIS_TLS_CA: path("ca"), QUORATE_REDIS_TLS_SERVERNAME: "primary.example" };
    const none = connectOne(urlOf(strict), env);
    const other = connectOne(urlOf(strict, { cert: path("strange"), key: path("strangeKey") }), env);
    for (const { reasons } of [none, other]) {
      await until(
        () => reasons.some((each) => each.startsWith("certificate of this instance is missing or refused")),
        "it says so",
      );
    }
  });

  test("whose certificate is for another name are refused", async () => {
    const env = { QUORATE_REDIS_TLS_CA: path("ca"), QUORATE_REDIS_TLS_SERVERNAME: "another.example" };
    const { reasons } = connectOne(urlOf(first()), env);
    await until(() => reasons.length > 0, "it fails");
    expect(reasons[0]).toMatch(
      /^certificate of the server is for another name: set QUORATE_REDIS_TLS_SERVERNAME/,
    );
  });

  test("that do not speak TLS on this port are told as such", async () => {
    const { reasons } = connectOne(`rediss://127.0.0.1:${first().port}`, {
      QUORATE_REDIS_TLS_CA: path("ca"),
    });
    await until(() => reasons.length > 0, "it fails");
    // Redis waits for the end of a line, which a handshake does not have.
    expect(reasons[0]).toBe("connect ETIMEDOUT (if the server is up: does this port speak TLS?)");
  });

  test("keep their connections when files change; the next one uses the new files", async () => {
    const url = urlOf(strict, { servername: "primary.example" });
    const { connection, tls } = connectOne(url, {
      QUORATE_REDIS_TLS_CA: path("ca"),
      QUORATE_REDIS_TLS_CERT: path("cert"),
      QUORATE_REDIS_TLS_KEY: path("key"),
    });
    expect(await answers(connection)).toBe("PONG");
    const id = await connection.call("CLIENT", "ID");
    const renewed = await ca.issue("renewed");
    await Promise.all([write("cert", renewed.cert), write("key", renewed.key)]);
    await tls.reload();
    expect(await connection.call("CLIENT", "ID"), "the same connection").toBe(id);
    // With files that do not let it in, it is the next connection that fails.
    await Promise.all([write("cert", strange.cert), write("key", strange.key)]);
    await tls.reload();
    expect(await connection.call("CLIENT", "ID")).toBe(id);
    await strict.cli("client", "kill", "type", "normal", "skipme", "yes");
    await until(() => !connection.ready, "the connection is lost");
    const refused: string[] = [];
    connection.onChange((_, reason) => void (reason && refused.push(reason.message)));
    await until(
      () => refused.some((each) => each.startsWith("certificate of this instance")),
      "it is refused",
    );
    await Promise.all([write("cert", renewed.cert), write("key", renewed.key)]);
    await tls.reload();
    await until(async () => (await connection.call("PING").catch(() => null)) === "PONG", "it is back");
  });

  test("with files that are wrong fail the start, with a line each that repeats no path of a URL", async () => {
    await write("broken", "hello");
    const urls = [
      urlOf(first(), { ca: path("missing") }),
      urlOf(primaries[1] as TlsPrimary, { cert: path("cert"), key: path("strangeKey") }),
      urlOf(primaries[2] as TlsPrimary),
    ];
    const config = readConfig({ REDIS_URLS: urls.join(","), QUORATE_REDIS_TLS_CA: path("broken") });
    const start = () => new RedisTls(config, systemClock, log);
    expect(start).toThrow(ConfigError);
    const mistakes = (() => {
      try {
        return start();
      } catch (error) {
        return (error as ConfigError).mistakes;
      }
    })();
    expect(mistakes).toEqual([
      "REDIS_URLS, entry 1 has a parameter ca, but the file cannot be read (ENOENT)",
      `QUORATE_REDIS_TLS_CA is "${path("broken")}", but the file has no certificate in PEM`,
      "REDIS_URLS, entry 2 has a parameter key, but this is not the key of the certificate",
    ]);
  });
});
