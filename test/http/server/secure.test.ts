import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { type AddressInfo, connect as connectPlain, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/clock.js";
import { readConfig } from "../../../src/config.js";
import { serverFiles } from "../../../src/http/server/secure.js";
import { createServer, type HttpServer } from "../../../src/http/server/server.js";
import { systemIds } from "../../../src/ids.js";
import { LivePem } from "../../../src/tls/live-pem.js";
import { type Authority, authority, hasOpenssl, type Issued } from "../../helpers/certificates.js";
import { parse, sendRaw } from "../../helpers/raw.js";
import { type Instance, startOffline, until } from "../../helpers/service.js";

describe.skipIf(!hasOpenssl)("over TLS", () => {
  let ca: Authority;
  let clientCa: Authority;
  let otherCa: Authority;
  let one: Issued;
  let two: Issued;
  let client: Issued;
  let stranger: Issued;
  let expired: Issued;
  let offline: Instance;
  beforeAll(async () => {
    [ca, clientCa, otherCa] = await Promise.all([
      authority("servers"),
      authority("clients"),
      authority("other clients"),
    ]);
    [one, two, client, stranger, expired] = await Promise.all([
      ca.issue("one"),
      ca.issue("two"),
      clientCa.issue("orders", { san: "URI:spiffe://example/orders" }),
      otherCa.issue("stranger"),
      clientCa.issue("late", { expired: true }),
    ]);
    offline = await startOffline();
  });
  afterAll(() => offline?.[Symbol.asyncDispose]());

  let dir: string;
  let live: LivePem;
  let server: HttpServer;
  let port: number;
  let wallMs: number;
  let sockets: Socket[];
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "quorate-tls-"));
    sockets = [];
    wallMs = Date.now();
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    live.close();
    server.close();
    server.closeAllConnections();
    await rm(dir, { recursive: true });
  });

  const path = (file: string) => join(dir, file);
  const install = ({ cert, key }: Issued) =>
    Promise.all([writeFile(path("cert"), cert), writeFile(path("key"), key)]);
  const trust = (...cas: Issued[]) => writeFile(path("ca"), cas.map(({ cert }) => cert).join(""));

  async function listen(env: Record<string, string> = {}): Promise<void> {
    await install(one);
    const config = readConfig({
      QUORATE_TLS_CERT: path("cert"),
      QUORATE_TLS_KEY: path("key"),
      QUORATE_HEADERS_TIMEOUT_MS: "700",
      QUORATE_REQUEST_TIMEOUT_MS: "1500",
      ...env,
    });
    const clock = { ...systemClock, wallMicros: () => wallMs * 1_000 };
    const files = serverFiles(config);
    if (!files) throw new Error("no files");
    live = new LivePem(files, clock, { info: () => {}, warn: () => {} });
    server = createServer(offline.service, config, systemIds, clock, live);
    await once(server.listen(0, "127.0.0.1"), "listening");
    port = (server.address() as AddressInfo).port;
  }
  const withClients = (env: Record<string, string> = {}) =>
    listen({ QUORATE_TLS_CLIENT_CA: path("ca"), ...env });

  async function open(options: ConnectionOptions = {}): Promise<TLSSocket> {
    const socket = connect({ port, host: "127.0.0.1", ca: ca.cert, ...options });
    sockets.push(socket);
    socket.on("error", () => {});
    await once(socket, "secureConnect");
    return socket;
  }
  const nameOf = (socket: TLSSocket) => socket.getPeerX509Certificate()?.subject.split("CN=")[1];
  const PRIMARIES = "GET /v1/primaries HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const LIVEZ = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";

  /** The answer to a request on a connection that stays open. */
  async function ask(socket: TLSSocket, text = PRIMARIES) {
    let got = "";
    const onData = (data: Buffer) => {
      got += data;
    };
    socket.on("data", onData);
    socket.write(text);
    await until(() => {
      const [head = "", body = ""] = got.split("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? Number.NaN);
      return Buffer.byteLength(body) >= length;
    }, "it is answered");
    socket.off("data", onData);
    return parse(got);
  }

  describe("a rotated certificate", () => {
    test("is that of new connections; connections that are open stay", async () => {
      await listen();
      const before = await open();
      expect((await ask(before)).status).toBe(200);
      await install(two);
      await until(() => live.pem.cert === two.cert, "it is read", 2_000);
      const after = await open();
      expect([nameOf(before), nameOf(after)]).toEqual(["one", "two"]);
      expect([(await ask(before)).status, (await ask(after)).status]).toEqual([200, 200]);
    });

    test("that cannot be used leaves the old one", async () => {
      await listen();
      await writeFile(path("key"), two.key);
      await live.reload();
      const after = await open();
      expect([nameOf(after), (await ask(after)).status]).toEqual(["one", 200]);
    });

    test("with requests all the time fails none of them", async () => {
      await listen();
      const agent = new Agent({ keepAlive: true, maxSockets: 4, ca: ca.cert });
      let over = false;
      let answered = 0;
      const failed: unknown[] = [];
      const asking = Array.from({ length: 4 }, async () => {
        while (!over) {
          await new Promise<void>((resolve) => {
            request({ port, host: "localhost", path: "/livez", agent }, (answer) => {
              if (answer.statusCode === 200) answered += 1;
              else failed.push(answer.statusCode);
              answer.resume().once("end", resolve);
            })
              .once("error", (error) => {
                failed.push(error);
                resolve();
              })
              .end();
          });
        }
      });
      for (const next of [two, one, two, one]) {
        await install(next);
        await live.reload();
        await sleep(50);
      }
      over = true;
      await Promise.all(asking);
      agent.destroy();
      expect(failed).toEqual([]);
      expect(answered).toBeGreaterThan(20);
    });
  });

  describe("client certificates", () => {
    beforeEach(() => trust(clientCa));

    test("are needed for everything but the probes", async () => {
      await withClients();
      for (const target of [
        "/v1/primaries",
        "/metrics",
        "/docs",
        "/livez/x",
        "//livez",
        "/V1/primaries",
        "/%76%31/primaries",
      ]) {
        const answer = await ask(await open(), `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        expect([target, answer.status, answer.body.code]).toEqual([target, 401, "unauthenticated"]);
        expect(answer.headers.get("connection")).toBe("close");
      }
      expect((await ask(await open(), LIVEZ)).status).toBe(200);
      expect((await ask(await open(), LIVEZ.replace("livez", "readyz?x"))).status).toBe(200);
      const certified = await open(client);
      expect((await ask(certified)).status).toBe(200);
      expect((await ask(certified)).status).toBe(200);
    });

    test.each<[string, () => Issued]>([
      ["of another CA", () => stranger],
      ["that expired", () => expired],
    ])("%s are none", async (_, issued) => {
      await withClients();
      expect((await ask(await open(issued()))).status).toBe(401);
      expect((await ask(await open(issued()), LIVEZ)).status).toBe(200);
    });

    test("are what a request says of itself to who maps them", async () => {
      await withClients({ QUORATE_TLS_CLIENT_AUTH: "request" });
      const seen: unknown[] = [];
      server.on("request", (incoming) => void seen.push(server.certificates?.of(incoming)));
      for (const options of [{}, stranger, client]) expect((await ask(await open(options))).status).toBe(200);
      expect(seen).toEqual([
        null,
        null,
        expect.objectContaining({
          subject: "O=Quorate\nCN=orders",
          subjectAltName: "URI:spiffe://example/orders",
          fingerprint256: expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/),
        }),
      ]);
    });

    test("of a CA that is added count on new connections", async () => {
      await withClients();
      expect((await ask(await open(stranger))).status).toBe(401);
      const kept = await open(client);
      await trust(clientCa, otherCa);
      await live.reload();
      expect((await ask(await open(stranger))).status).toBe(200);
      expect((await ask(kept)).status).toBe(200);
    });

    test("of a CA that is removed count neither on new connections nor on those that are open", async () => {
      await trust(clientCa, otherCa);
      await withClients();
      const [kept, removed] = [await open(client), await open(stranger)];
      for (const socket of [kept, removed]) expect((await ask(socket)).status).toBe(200);
      await trust(clientCa);
      await live.reload();
      expect((await ask(await open(stranger))).status).toBe(401);
      const refused = await ask(removed);
      expect([refused.status, refused.headers.get("connection")]).toEqual([401, "close"]);
      expect((await ask(kept)).status).toBe(200);
      expect((await ask(await open(client))).status).toBe(200);
    });

    test("of a CA that was issued again, with the same key, stay good", async () => {
      await withClients();
      const kept = await open(client);
      expect((await ask(kept)).status).toBe(200);
      await trust(await authority("clients", clientCa));
      await live.reload();
      expect((await ask(kept)).status).toBe(200);
      expect((await ask(await open(client))).status).toBe(200);
    });

    test("that expire while their connection is open are none from then on", async () => {
      await withClients();
      const kept = await open(client);
      expect((await ask(kept)).status).toBe(200);
      wallMs += 31 * 86_400_000;
      expect((await ask(kept)).status).toBe(401);
    });

    test("of a CA below one that is trusted count", async () => {
      await withClients();
      const below = await (await clientCa.intermediate("team")).issue("shipping");
      expect((await ask(await open(below))).status).toBe(200);
    });

    describe.each(["TLSv1.2", "TLSv1.3"] as const)("in a session of %s", (version) => {
      /** Opens a connection, and another one with the session of the first. */
      async function twice(options: ConnectionOptions, between = async () => {}) {
        const of = { ...options, minVersion: version, maxVersion: version };
        const first = await open(of);
        let session = first.getSession();
        first.on("session", (ticket) => {
          session = ticket;
        });
        const { status } = await ask(first);
        await sleep(20);
        await between();
        const second = await open({ ...of, session });
        return { first: status, resumed: second.isSessionReused(), second: (await ask(second)).status };
      }

      test("that a client tries to resume are verified again: a CA that was removed does not come back", async () => {
        await trust(clientCa, otherCa);
        await withClients();
        const remove = async () => {
          await trust(clientCa);
          await live.reload();
        };
        expect(await twice(stranger, remove)).toEqual({ first: 200, resumed: false, second: 401 });
      });

      test("that a client tries to resume keep their chain", async () => {
        await withClients();
        const below = await (await clientCa.intermediate("team")).issue("shipping");
        expect(await twice(below)).toMatchObject({ first: 200, second: 200 });
      });
    });
  });

  test.each(["TLSv1.2", "TLSv1.3"] as const)(
    "without client certificates sessions of %s are resumed",
    async (version) => {
      await listen();
      const first = await open({ minVersion: version, maxVersion: version });
      const ticket =
        version === "TLSv1.3" ? once(first, "session").then(([each]) => each) : first.getSession();
      await ask(first);
      const second = await open({ minVersion: version, maxVersion: version, session: await ticket });
      expect([second.isSessionReused(), (await ask(second)).status]).toEqual([true, 200]);
    },
  );

  describe("the limits of HTTP hold", () => {
    test("TLS below 1.2 is refused", async () => {
      await listen();
      const old = connect({
        port,
        host: "127.0.0.1",
        ca: ca.cert,
        minVersion: "TLSv1",
        maxVersion: "TLSv1.1",
        ciphers: "DEFAULT@SECLEVEL=0",
      });
      const [error] = await once(old, "error");
      expect(error.code).toMatch(/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS/);
    });

    test("plain HTTP gets a line that says what to do", async () => {
      await listen();
      const answer = await sendRaw(`http://127.0.0.1:${port}`, LIVEZ);
      expect([answer?.status, answer?.body.code]).toEqual([400, "invalid_request"]);
      expect(answer?.body.detail).toBe("This port speaks HTTPS: use https:// in the URL.");
      expect(answer?.headers.get("connection")).toBe("close");
      await until(() => openConnections() === 0, "nothing is left");
    });

    test.each([
      ["silent", ""],
      ["in the middle of its handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    ])("a client that stays %s is cut", async (_, bytes) => {
      await listen();
      const beganMs = performance.now();
      const socket = plain();
      socket.write(Buffer.from(bytes, "latin1"));
      await once(socket, "close");
      expect(performance.now() - beganMs).toBeGreaterThan(650);
      expect(performance.now() - beganMs).toBeLessThan(5_000);
    });

    test("bytes that are neither end the connection", async () => {
      await listen();
      const socket = plain();
      socket.write("\x01\x02\x03\x04\x05\x06\x07\x08\r\n\r\n");
      await once(socket, "close");
      await until(() => openConnections() === 0, "nothing is left");
    });

    test.each([
      ["its headers", "POST /v1/locks/a/acquire HTTP/1.1\r\nHost: loc", 650],
      [
        "the whole request",
        "POST /v1/locks/a/acquire HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
        1_450,
      ],
    ])("a request is cut at the time of %s", async (_, bytes, ms) => {
      await listen();
      const beganMs = performance.now();
      const answer = await ask(await open(), bytes);
      expect([answer.status, answer.body.code]).toEqual([408, "request_timeout"]);
      expect(performance.now() - beganMs).toBeGreaterThan(ms);
    });

    test("what is not well-formed HTTP is a problem", async () => {
      await listen();
      const answer = await ask(await open(), "hello\r\n\r\n");
      expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
    });

    test("more connections than QUORATE_CONNECTIONS_MAX are closed, those in a handshake included", async () => {
      await listen({
        QUORATE_CONNECTIONS_MAX: "10",
        QUORATE_HEADERS_TIMEOUT_MS: "5000",
        QUORATE_REQUEST_TIMEOUT_MS: "5000",
      });
      let dropped = 0;
      server.on("drop", () => {
        dropped += 1;
      });
      for (let i = 0; i < 10; i++) plain();
      await until(() => openConnections() === 10, "they are accepted");
      const eleventh = plain();
      await once(eleventh, "close");
      expect(dropped).toBe(1);
    });
  });

  describe("a stop", () => {
    test("ends connections that are quiet, or never finish their handshake, and answers what is under way", async () => {
      await listen({ QUORATE_HEADERS_TIMEOUT_MS: "10000", QUORATE_REQUEST_TIMEOUT_MS: "30000" });
      const idle = await open();
      expect((await ask(idle)).status).toBe(200);
      const silent = plain();
      await until(() => openConnections() === 2, "both are there");
      const beganMs = performance.now();
      await server.sockets.closePort();
      const late = await ask(idle);
      expect([late.status, late.headers.get("connection")]).toEqual([200, "close"]);
      expect(await server.sockets.end(8_000)).toBe(true);
      expect(performance.now() - beganMs).toBeLessThan(6_000);
      if (!silent.closed) await once(silent, "close");
    });

    test("cuts a handshake at the end of its time", async () => {
      await listen({ QUORATE_HEADERS_TIMEOUT_MS: "10000", QUORATE_REQUEST_TIMEOUT_MS: "30000" });
      plain();
      await until(() => openConnections() === 1, "it is there");
      await server.sockets.closePort();
      const beganMs = performance.now();
      expect(await server.sockets.end(200)).toBe(true);
      expect(performance.now() - beganMs).toBeLessThan(1_500);
    });
  });

  function plain(): Socket {
    const socket = connectPlain({ port, host: "127.0.0.1" });
    sockets.push(socket);
    socket.on("error", () => {}).resume();
    return socket;
  }

  function openConnections(): number {
    return (server as unknown as { _connections: number })._connections;
  }
});
