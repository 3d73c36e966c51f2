import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { Client } from "./client.js";

describe("the client of a crowd", () => {
  test("sends what it is given and reads what is answered", async () => {
    const client = await clientOf(async (incoming, outgoing) => {
      let text = "";
      for await (const part of incoming) text += part;
      outgoing.setHeader("etag", '"v1"');
      outgoing.end(`${incoming.method} ${incoming.url} ${incoming.headers.authorization} ${text}`);
    });
    const { status, body, etag } = await client.ask("PUT", "/a", { a: "ß" }, { authorization: "me" });
    expect({ status, body, etag }).toEqual({ status: 200, body: 'PUT /a me {"a":"ß"}', etag: '"v1"' });
  });

  test("reads an answer in chunks, of characters that are cut", async () => {
    const client = await clientOf(async (_, outgoing) => {
      const bytes = Buffer.from("größer ".repeat(20_000));
      for (let i = 0; i < bytes.length; i += 30_001) {
        outgoing.write(bytes.subarray(i, i + 30_001));
        await new Promise((resolve) => setImmediate(resolve));
      }
      outgoing.end();
    });
    expect((await client.get("/")).body).toBe("größer ".repeat(20_000));
    expect((await client.get("/")).body).toBe("größer ".repeat(20_000));
    expect(client.connections).toBe(1);
  });

  test("keeps one connection for those that come after each other, and leaves one that is to be closed", async () => {
    const client = await clientOf((incoming, outgoing) => {
      if (incoming.url === "/last") outgoing.setHeader("connection", "close");
      outgoing.statusCode = incoming.url === "/none" ? 304 : 200;
      outgoing.end();
    });
    for (const path of ["/", "/none", "/"]) await client.get(path);
    expect(client.connections).toBe(1);
    await Promise.all([client.get("/"), client.get("/")]);
    expect(client.connections).toBe(2);
    await client.get("/last");
    await expect.poll(() => client.connections).toBe(1);
    expect(client.resets).toBe(0);
  });

  test("counts a connection that breaks under a request, and one that is refused", async () => {
    const client = await clientOf((incoming) => incoming.socket.destroy());
    expect(await client.get("/")).toMatchObject({ status: 0 });
    expect([client.resets, client.refused]).toEqual([1, 0]);
    servers.pop()?.close();
    await expect.poll(async () => (await client.get("/")).status).toBe(0);
    expect(client.refused).toBeGreaterThan(0);
  });

  test("gives up after a time, which is no reset", async () => {
    const client = await clientOf(() => {}, 50);
    expect(await client.get("/")).toMatchObject({ status: 0, body: "no answer for 50 ms" });
    expect(client.resets).toBe(0);
  });
});

const servers: Server[] = [];
const clients: Client[] = [];

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) server.close();
});

async function clientOf(listener: RequestListener, timeoutMs?: number): Promise<Client> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.push(server);
  const client = new Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, timeoutMs);
  clients.push(client);
  return client;
}
