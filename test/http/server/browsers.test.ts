import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { accessBy, bearer, EVERYTHING } from "../../helpers/access.js";
import { hasChromium, visit } from "../../helpers/chromium.js";
import { freshName, type Instance, startInstance } from "../../helpers/service.js";
import { sharedPrimaries } from "../../helpers/shared-primaries.js";

// What a real browser sends from a page that is not the service's own, and what the page may read of the answers.
const primaries = await sharedPrimaries();
const EVIL = "evil.example";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function listen(answer: RequestListener): Promise<number> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Serves a page whose script writes what it learned into the body. Returns its port. */
function serve(script: string): Promise<number> {
  const html = `<!doctype html><body>nothing ran<script type="module">
    const tried = [];
    const attempt = async (what, ...request) => {
      const response = await fetch(...request).catch((error) => error);
      const read = response.type === "opaque" ? "" : await response.text?.().catch(() => "");
      tried.push(what + ": " + (response.status ?? "refused") + " " + (read || ""));
    };
    ${script}
    document.body.textContent = tried.join("\\n");
  </script></body>`;
  return listen((_, response) => response.setHeader("content-type", "text/html").end(html));
}

/** Everything that a page can try to take a lock. */
function acquiring(service: string, name: string): string {
  const url = JSON.stringify(`${service}/v1/locks/${name}/acquire`);
  const body = JSON.stringify(JSON.stringify({ ttlMs: 60_000 }));
  const authorization = JSON.stringify(bearer("ops").authorization);
  return `
    await attempt("json", ${url}, { method: "POST", headers: { "content-type": "application/json" }, body: ${body} });
    await attempt("key", ${url}, { method: "POST",
      headers: { "content-type": "application/json", authorization: ${authorization} }, body: ${body} });
    await attempt("text", ${url}, { method: "POST", body: ${body}, mode: "no-cors" });
    await attempt("blob", ${url}, { method: "POST", body: new Blob([${body}]), mode: "no-cors", credentials: "include" });
    await attempt("read", ${JSON.stringify(`${service}/v1/locks`)});`;
}

const isHeld = async (instance: Instance, name: string, headers?: Record<string, string>) =>
  (await instance.call("GET", `/v1/locks/${name}`, undefined, headers)).body.holders.length > 0;

describe.skipIf(!hasChromium)("a page in a real browser", { timeout: 120_000 }, () => {
  test("of another origin takes no lock and reads nothing, with a key or without", async () => {
    using known = await accessBy({ ops: [EVERYTHING] });
    for (const access of [undefined, known.access]) {
      await using instance = await startInstance(primaries.urls, { ...(access && { world: { access } }) });
      const name = freshName();
      const port = await serve(acquiring(await instance.url(), name));
      const text = await visit(`http://${EVIL}:${port}/`, { names: [EVIL] });
      expect(text.split("\n").map((line) => line.trim())).toEqual([
        "json: refused",
        "key: refused",
        // A page is never told the status of what it sends without asking.
        "text: 0",
        "blob: 0",
        "read: refused",
      ]);
      expect(await isHeld(instance, name, access && bearer("ops"))).toBe(false);
    }
  });

  test("reaches a server that does not refuse it: what the others lack is not the page's", async () => {
    const reached: (string | undefined)[] = [];
    const open = await listen(({ method, headers }, response) => {
      reached.push(method === "POST" ? (headers["content-type"] ?? "none") : method);
      response.setHeader("access-control-allow-origin", "*").setHeader("access-control-allow-headers", "*");
      response.end("ok");
    });
    const port = await serve(acquiring(`http://127.0.0.1:${open}`, "any"));
    const text = await visit(`http://${EVIL}:${port}/`, { names: [EVIL] });
    expect(text).toContain("json: 200 ok");
    expect(text).toContain("read: 200 ok");
    expect(reached).toContain("application/json");
    expect(reached).toContain("text/plain;charset=UTF-8");
  });

  test("whose name was made to lead to the service is refused, though its requests have one origin", async () => {
    await using instance = await startInstance(primaries.urls);
    const { port } = new URL(await instance.url());
    expect(await visit(`http://${EVIL}:${port}/v1/locks`, { names: [EVIL] })).toContain("forbidden");
    expect(await visit(`http://127.0.0.1:${port}/v1/locks`)).toContain('"locks":');
  });

  test("whose host is allowed still reads nothing from another origin: there is no CORS", async () => {
    await using instance = await startInstance(primaries.urls, {
      env: { QUORATE_ALLOWED_HOSTS: "console.example" },
    });
    const port = await serve(`await attempt("read", ${JSON.stringify(`${await instance.url()}/v1/locks`)});`);
    expect(await visit(`http://console.example:${port}/`, { names: ["console.example"] })).toContain(
      "read: refused",
    );
  });
});
