import { stringify } from "yaml";
import { SECURITY_SCHEMES } from "./access/security.js";
import type { App } from "./context.js";
import { problemExamples } from "./problem.js";
import { version } from "./version.js";

/** The OpenAPI 3.1 document of the routes that `app` has. */
export function describe(app: App): Record<string, unknown> {
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Quorate",
      version,
      description: CONVENTIONS,
      contact: { name: "The maintainers of Quorate" },
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    servers: [
      { url: "/", description: "Where this description is served; by default http://127.0.0.1:8080" },
    ],
    security: [],
    tags: [
      {
        name: "locks",
        description:
          "Locks by name, exclusive or shared, one or several at once. Every grant has a fencing token that only grows.",
      },
      { name: "semaphores", description: "A limited number of permits; never more than the limit are held." },
      { name: "elections", description: "One leader at a time, with a term that only grows and a value." },
      { name: "members", description: "Instances of services, kept alive by heartbeats." },
      { name: "hooks", description: "URLs that are told what happens to the members of a service." },
      { name: "shard owners", description: "Which member owns a key, by a consistent-hash ring." },
      {
        name: "registers",
        description: "Values that a majority of the primaries agree on: linearizable, with compare-and-set.",
      },
      {
        name: "transactions",
        description: "Decisions of several services together: all commit, or all abort (two-phase commit).",
      },
      { name: "picks", description: "Which members get work." },
      { name: "service", description: "Quorate itself." },
    ],
  });
  const { paths, components, webhooks: _none, ...rest } = document;
  const examples = usedOf(problemExamples(), document);
  const { schemas = {}, responses = {} } = components ?? {};
  return { ...rest, paths, components: { schemas, responses, securitySchemes: SECURITY_SCHEMES, examples } };
}

/** The same document as text, as `openapi.yaml` has it. */
export function toYaml(document: object): string {
  return stringify(document, { lineWidth: 110, blockQuote: "literal", aliasDuplicateObjects: false });
}

function usedOf<T>(examples: Record<string, T>, document: object): Record<string, T> {
  const text = JSON.stringify(document);
  return Object.fromEntries(
    Object.entries(examples).filter(([name]) => text.includes(`"#/components/examples/${name}"`)),
  );
}

const CONVENTIONS = `
Locks with fencing tokens, semaphores, elections, membership and shard owners over the Redis you already run.

JSON in camelCase; a unit ends the name (\`ttlMs\`). Names of locks, semaphores, elections, services
and members match
\`[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\`. Unknown fields and parameters of a request are refused, so that a
typo is not silently ignored. Answers may get new fields.

**Namespaces.** Teams that share a deployment do not see or touch each other's names. Every path \`/v1/…\` but
\`/v1/primaries\` is also there as \`/v1/namespaces/{namespace}/…\`, such as
\`/v1/namespaces/team-a/locks/orders-42/acquire\`, with the same requests and answers. A namespace has a name as above, and
exists by being used. Names, leaseIds, lists, limits, queues, events and members are those of the namespace. The paths below
are those of the namespace \`default\`. A path with a segment \`.\` or \`..\` is refused.

**Access.** A service with keys, JWTs or required client certificates answers 401 \`unauthenticated\` to every request without
a valid one, before it looks at anything else, and 403 \`forbidden\` to those that lack the grant that is stated at the operation (\`x-grant\`), such
as \`use locks\`: for each name that the request touches, in its namespace. What is forbidden looks the same whether it exists or not.
Lists show only what the caller may read; event streams and blocking reads end with the right to them. Other services ask for a key only where
the grant is \`operate\`.

**Limits of a key** (requests a second, requests that wait, streams, live leases and members, by namespace) are answered with
429 \`rate_limited\` or \`quota_exceeded\` and \`Retry-After\`. Each answer to a key whose requests are limited has the fields \`RateLimit\` and
\`RateLimit-Policy\`.

**Failures** are [problems](https://www.rfc-editor.org/rfc/rfc9457) (\`application/problem+json\`); program against
their \`code\`. Besides those listed at each operation there are \`not_found\` (404, no such path),
\`method_not_allowed\` (405, with \`Allow\`), \`too_large\` (413, at any path) and \`forbidden\` (403, at any path: a \`Host\` that
is not a name of the service, or a request from a foreign web page; see \`QUORATE_ALLOWED_HOSTS\`). A request that is not well-formed
HTTP, has an unknown \`Expect\`, has too large headers, or arrives too slowly is answered with 400 \`invalid_request\`, 417
\`expectation_failed\`, 431 \`headers_too_large\` or 408 \`request_timeout\`, and the connection is closed. A request that changes
something and is answered with \`no_quorum\` may have taken effect or not: repeat it (all requests can be repeated safely), or read
the state.

**Leases.** Anyone who knows a \`leaseId\` may renew and release the lease, so keep it secret. Trust a lease until
\`your own send time + waitedMs + validForMs\` on your monotonic clock, and send its \`fencingToken\` to the resource that the lock
guards, which refuses tokens below the highest that it has seen.

**Waiting.** A request to acquire or to campaign with \`waitMs\` waits in a queue, first come, first served, whichever instance
it was sent to; a request that does not wait does not overtake. After \`waitMs\` the answer is \`held\` with the \`queuePosition\`. A
request whose connection is closed leaves the queue at once; a caller that chose its own \`leaseId\` keeps its place for 3 s to come
back with it.

**Requests** may carry an \`X-Request-Id\` of 1 to 128 letters, digits and \`. _ : -\`; otherwise one is generated. Answers,
problems and log lines have it. Bodies may have 64 KB, batches 2 MB. They are JSON in UTF-8; a number that would lose digits (an
integer beyond 2^53, 1e999) is refused, so send it as text; of duplicate keys the last counts.
`.trim();
