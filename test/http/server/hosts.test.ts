import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { hostGate } from "../../../src/http/server/hosts.js";
import { sendRaw } from "../../helpers/raw.js";
import { startOffline } from "../../helpers/service.js";

interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly host?: string;
  readonly origin?: string;
  readonly site?: string;
  readonly navigates?: boolean;
  readonly minor?: number;
}

/** What a gate says to a request: the code it refuses it with, or null. */
async function verdict(
  { host, allowedHosts, tlsCert }: { host: string; allowedHosts?: readonly string[]; tlsCert?: string },
  asked: Asked,
): Promise<string | null> {
  const incoming = {
    method: asked.method ?? "POST",
    url: asked.path ?? "/v1/locks/a/acquire",
    httpVersionMinor: asked.minor ?? 1,
    headers: {
      ...(asked.host !== undefined && { host: asked.host }),
      ...(asked.origin !== undefined && { origin: asked.origin }),
      ...(asked.site !== undefined && { "sec-fetch-site": asked.site }),
      ...(asked.navigates && { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }),
    },
  } as unknown as IncomingMessage;
  const refusal = await hostGate({ host, allowedHosts, tlsCert })(incoming, {} as ServerResponse);
  return refusal?.code ?? null;
}

const EVIL = "evil.example";

describe("on loopback", () => {
  const loopback = { host: "127.0.0.1" };

  test.each(["localhost", "localhost:8080", "LocalHost:1", "127.0.0.1:8080", "[::1]", "[::1]:8080"])(
    "the Host %s passes",
    async (host) => {
      expect(await verdict(loopback, { host })).toBe(null);
      expect(await verdict(loopback, { host, origin: `http://${host}` })).toBe(null);
    },
  );

  test.each([EVIL, "evil.example:8080", "localhost.evil.example", "10.0.0.1:8080", "[::2]"])(
    "the Host %s is forbidden, whatever the Origin",
    async (host) => {
      expect(await verdict(loopback, { host })).toBe("forbidden");
      expect(await verdict(loopback, { host, origin: `http://${host}` })).toBe("forbidden");
      expect(await verdict(loopback, { host, method: "GET", path: "/metrics" })).toBe("forbidden");
      expect(await verdict(loopback, { host, method: "GET", path: "/docs" })).toBe("forbidden");
    },
  );

  test.each([
    "http://evil.example",
    "https://evil.example",
    "null",
    "http://localhost.evil.example",
    "file://",
  ])("the Origin %s is forbidden, at probes as well", async (origin) => {
    for (const path of ["/v1/services/s/members/m/heartbeat", "/livez", "/readyz"])
      expect(await verdict(loopback, { host: "localhost:8080", origin, path })).toBe("forbidden");
  });

  test.each(["", "a b", "a/b", "user@localhost", "localhost:80:80", "[::1"])(
    "the Host %o is not one",
    async (host) => {
      expect(await verdict(loopback, { host })).toBe("invalid_request");
    },
  );

  test("what comes from another site is forbidden everywhere but on documents that somebody opens", async () => {
    const cross = { host: "localhost:8080", site: "cross-site", method: "GET" };
    for (const path of ["/v1/locks", "/livez", "/metrics", "/docs", "/docs/page.js", "/openapi.json"])
      expect(await verdict(loopback, { ...cross, path })).toBe("forbidden");
    for (const path of ["/", "/docs", "/docs/", "/openapi.yaml"])
      expect(await verdict(loopback, { ...cross, path, navigates: true })).toBe(null);
    expect(await verdict(loopback, { ...cross, path: "/v1/locks", navigates: true })).toBe("forbidden");
    expect(await verdict(loopback, { ...cross, path: "/docs", navigates: true, method: "POST" })).toBe(
      "forbidden",
    );
    for (const site of ["same-origin", "same-site", "none"])
      expect(await verdict(loopback, { ...cross, site, path: "/v1/locks" })).toBe(null);
  });

  test("probes need no Host, or any; others of HTTP/1.1 need one", async () => {
    for (const path of ["/livez", "/readyz", "/livez?a"]) {
      expect(await verdict(loopback, { path })).toBe(null);
      expect(await verdict(loopback, { path, host: EVIL })).toBe(null);
    }
    expect(await verdict(loopback, {})).toBe("invalid_request");
    expect(await verdict(loopback, { minor: 0 })).toBe(null);
    expect(await verdict(loopback, { minor: 0, origin: "http://evil.example" })).toBe("forbidden");
    expect(await verdict(loopback, { path: "/livezz", host: EVIL })).toBe("forbidden");
  });
});

describe("QUORATE_ALLOWED_HOSTS", () => {
  const named = { host: "0.0.0.0", allowedHosts: ["locks.example.com", "quorate-1:8080"] };

  test("adds names, of any port or of one", async () => {
    for (const host of ["locks.example.com", "Locks.Example.com:99", "quorate-1:8080", "localhost:1"])
      expect(await verdict(named, { host })).toBe(null);
    for (const host of ["quorate-1", "quorate-1:80", "quorate-2:8080", EVIL, "10.0.0.1"])
      expect(await verdict(named, { host })).toBe("forbidden");
  });

  test("are the pages that may ask, too, behind a proxy that speaks TLS as well", async () => {
    const host = "locks.example.com";
    for (const origin of ["http://locks.example.com", "https://locks.example.com", "http://quorate-1:8080"])
      expect(await verdict(named, { host, origin })).toBe(null);
    for (const origin of ["http://quorate-1", "https://evil.example", "ftp://locks.example.com"])
      expect(await verdict(named, { host, origin })).toBe("forbidden");
  });
});

test("over TLS, pages of https are its own, and port 443 goes without saying", async () => {
  const secure = { host: "0.0.0.0", allowedHosts: ["locks.example.com:443"], tlsCert: "/tls/tls.crt" };
  for (const host of ["locks.example.com", "locks.example.com:443"])
    expect(await verdict(secure, { host, origin: `https://${host}` })).toBe(null);
  expect(await verdict(secure, { host: "localhost:8080", origin: "https://localhost:8080" })).toBe(null);
  expect(await verdict(secure, { host: "locks.example.com", origin: "http://locks.example.com" })).toBe(
    "forbidden",
  );
  expect(await verdict(secure, { host: "locks.example.com:80" })).toBe("forbidden");
});

describe("on all addresses and without the setting", () => {
  const open = { host: "0.0.0.0" };

  test("a client that is no browser may use any name", async () => {
    for (const host of ["quorate-1:8080", "10.0.0.1:8080", "locks.example.com"])
      expect(await verdict(open, { host })).toBe(null);
  });

  test("a browser may use addresses and localhost, since DNS can lead every other name here", async () => {
    for (const host of ["10.0.0.1:8080", "localhost:8080", "[fd00::1]:8080"])
      expect(await verdict(open, { host, origin: `http://${host}`, site: "same-origin" })).toBe(null);
    expect(await verdict(open, { host: EVIL, origin: `http://${EVIL}` })).toBe("forbidden");
    expect(await verdict(open, { host: EVIL, site: "same-origin", method: "GET" })).toBe("forbidden");
    expect(await verdict(open, { host: "10.0.0.1:8080", origin: "http://10.0.0.2:8080" })).toBe("forbidden");
  });
});

test("a lock cannot be taken from a page that DNS leads here, nor a member kept alive from any page", async () => {
  await using instance = await startOffline();
  const url = await instance.url();
  const ask = (path: string, headers: string) =>
    sendRaw(url, `POST ${path} HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n${headers}\r\n\r\n`);
  const rebound = await ask("/v1/locks/a/acquire", `Host: ${EVIL}\r\nOrigin: http://${EVIL}`);
  expect([rebound?.status, rebound?.body.code]).toEqual([403, "forbidden"]);
  expect(rebound?.headers.get("content-type")).toBe("application/problem+json");
  expect(rebound?.body.detail).toContain("QUORATE_ALLOWED_HOSTS");
  const beat = "/v1/services/s/members/m/heartbeat";
  const own = `Host: ${new URL(url).host}`;
  expect((await ask(beat, `${own}\r\nOrigin: https://${EVIL}`))?.status).toBe(403);
  expect((await ask(beat, `${own}\r\nSec-Fetch-Site: cross-site`))?.status).toBe(403);
  expect((await ask(beat, own))?.status).toBe(503);
});
