import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterEach, expect, test } from "vitest";
import { hasChromium, visit } from "../helpers/chromium.js";
import { Pair } from "../helpers/pair.js";
import { freshName } from "../helpers/service.js";

// The client in a real browser, on a page of the same origin as the service: there is no CORS. What serves the page passes
// the requests of the client on, as a proxy in front of both does.

const pair = new Pair();

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

const PROGRAM = `
  import { Quorate, QuorateError } from "./quorate.js";

  export async function main(name, url) {
    const quorate = new Quorate({ urls: [url] });
    const seen = [];
    seen.push(await quorate.withLock(name, { ttlMs: 20_000, timeoutMs: 3_000 }, async (lease) => {
      await lease.renew();
      const code = await quorate.acquireLock(name, { ttlMs: 20_000 })
        .catch((error) => error instanceof QuorateError && error.code);
      return [code, lease.signal.aborted, lease.remainingMs() > 10_000, lease.fencingToken > 0];
    }));
    for await (const { leader } of quorate.observe(name)) {
      seen.push(leader === null ? "no leader" : leader.candidate);
      break;
    }
    const member = await quorate.join(name, { id: "one", address: "here" });
    const ring = await quorate.ring(name);
    seen.push(ring.owner("key").id);
    let leaving = null;
    for await (const { members, events } of quorate.watch(name)) {
      if (events.length > 0) {
        seen.push(events[0].event + " " + events[0].member.id);
        break;
      }
      leaving ??= quorate.join(name, { id: "two", address: "there" }).then((two) => two.leave());
    }
    await leaving;
    ring.close();
    seen.push(await member.leave());
    return JSON.stringify(seen);
  }
`;

const SENT = ["content-type", "if-none-match"] as const;

/** Serves the page, and all that begins with /v1 from the service. */
async function serve(name: string, url: (own: string) => string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: PROGRAM, resolveDir: fileURLToPath(new URL("../../src/client", import.meta.url)) },
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
  });
  const service = await pair.one.url();
  const server: Server = createServer(async (request, response) => {
    const { url: path = "", method = "GET", headers } = request;
    if (!path.startsWith("/v1")) {
      const [type, body] =
        path === "/main.js" ? ["text/javascript", outputFiles[0]?.text] : ["text/html", page];
      return void response.setHeader("content-type", type as string).end(body);
    }
    const chunks = await request.toArray();
    const answer = await fetch(service + path, {
      method,
      headers: new Headers(
        SENT.flatMap((field) => (headers[field] ? [[field, String(headers[field])]] : [])),
      ),
      ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
    });
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    // What comes in parts is passed on in parts.
    for await (const part of answer.body ?? []) response.write(part);
    response.end();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  servers.push(server);
  const own = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const page = `<!doctype html><body>nothing ran<script type="module">
    import { main } from "/main.js";
    document.body.textContent = await main(${JSON.stringify(name)}, ${JSON.stringify(url(own))}).catch(String);
  </script></body>`;
  return own;
}

test.skipIf(!hasChromium)(
  "the client works on a page of the same origin as the service, in a real browser",
  async () => {
    const own = await serve(freshName(), (url) => url);
    expect(JSON.parse(await visit(own))).toEqual([
      ["held", false, true, true],
      "no leader",
      "one",
      "joined two",
      true,
    ]);
  },
  120_000,
);

test.skipIf(!hasChromium)(
  "and says on another page that it could not reach the service",
  async () => {
    const service = await pair.one.url();
    expect(await visit(await serve(freshName(), () => service))).toContain("could not be reached");
  },
  120_000,
);
