import type { App } from "./context.js";

/** The OpenAPI 3.1 document of the routes that `app` has. */
export function describe(app: App) {
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Quorate",
      version: "1",
      description: "Locks with fencing tokens, membership and shard owners over the Redis you already run.",
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    servers: [{ url: "http://127.0.0.1:8080" }],
    security: [],
    tags: [
      { name: "locks", description: "Exclusive locks by name, with fencing tokens." },
      { name: "members", description: "Instances of services, kept alive by heartbeats." },
      { name: "shard owners", description: "Which member owns a key, by a consistent-hash ring." },
      { name: "service", description: "Quorate itself." },
    ],
  });
}
