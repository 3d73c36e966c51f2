import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { haproxyInstalled, startHaProxy } from "./helpers/haproxy.js";
import { nginxInstalled, startNginxWith } from "./helpers/nginx.js";
import type { SharedPrimaries } from "./helpers/primaries.js";
import { Rolling, underLoad } from "./helpers/rolling.js";
import { ownPrefix } from "./helpers/service.js";
import { sharedPrimaries } from "./helpers/shared-primaries.js";

// The lines for proxies are read from the page that tells users of them.
const page = readFileSync(new URL("../docs/operating.md", import.meta.url), "utf8");

/** What the page says for a proxy, with the two instances and the port of a test in place of its own. */
function lines(language: string, instances: Rolling, port: number): string {
  const text = new RegExp(`\`\`\`${language}\n(.*?)\n\`\`\``, "s").exec(page)?.[1];
  if (text === undefined) throw new Error(`docs/operating.md has no lines for ${language}`);
  const [one, other] = instances.urls.map((url) => new URL(url).host);
  return text
    .replaceAll("quorate-1:8080", one ?? "")
    .replaceAll("quorate-2:8080", other ?? "")
    .replace(/(listen|bind) \S+?(;?)$/m, `$1 127.0.0.1:${port}$2`);
}

let primaries: SharedPrimaries;
beforeAll(async () => {
  primaries = await sharedPrimaries();
});

const start = () =>
  Rolling.start({
    REDIS_URLS: primaries.urls.join(","),
    QUORATE_KEY_PREFIX: ownPrefix(),
    QUORATE_DRAIN_DELAY_MS: "3000",
    // Not about primaries: none is to be slow.
    QUORATE_COMMAND_TIMEOUT_MS: "5000",
  });

const bothRestarted = async (instances: Rolling, pauseMs = 0) => {
  for (const at of [0, 1]) {
    await instances.restart(at);
    await sleep(pauseMs);
  }
};

describe.skipIf(!nginxInstalled)("behind an nginx (skipped where there is none)", () => {
  test("with the lines of the page a restart of both instances is an error for nobody", async () => {
    await using instances = await start();
    await using nginx = await startNginxWith((port) => lines("nginx", instances, port));
    const tally = await underLoad([nginx.url], 16, () => bothRestarted(instances, CHECKED_MS));
    expect([...tally.keys()]).toEqual(["200"]);
  }, 120_000);

  test("keys of registers arrive as they were sent, slashes and all", async () => {
    await using instances = await start();
    await using nginx = await startNginxWith((port) => lines("nginx", instances, port));
    for (const key of ["config/eu/1", "größe/🙂", "a%2Fb", "a?b#c&d+e;f", "a//b"]) {
      const url = `${nginx.url}/v1/registers/${encodeURIComponent(key)}`;
      const put = await fetch(url, {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ value: key }),
      });
      expect(await put.json()).toEqual({ key, version: 1 });
      const found = await Promise.all(
        instances.urls.map((base) => fetch(`${base}/v1/registers/${encodeURIComponent(key)}`)),
      );
      for (const one of found) expect(await one.json()).toMatchObject({ key, value: key });
    }
  }, 120_000);

  test("as it comes, it answers 502 itself: the test would notice", async () => {
    await using instances = await start();
    const servers = instances.urls.map((url) => `server ${new URL(url).host};`).join(" ");
    await using nginx = await startNginxWith(
      (port) =>
        `upstream q { ${servers} } server { listen 127.0.0.1:${port}; location / { proxy_pass http://q; } }`,
    );
    const tally = await underLoad([nginx.url], 16, () => bothRestarted(instances));
    expect([...tally.keys()].filter((outcome) => / 50[23]/.test(outcome))).not.toEqual([]);
  }, 120_000);
});

describe.skipIf(!haproxyInstalled)("behind a HAProxy (skipped where there is none)", () => {
  test("with the lines of the page a restart of both instances is an error for nobody", async () => {
    await using instances = await start();
    await using haproxy = await startHaProxy((port) => lines("haproxy", instances, port));
    const tally = await underLoad([haproxy.url], 16, () => bothRestarted(instances, CHECKED_MS));
    expect([...tally.keys()]).toEqual(["200"]);
  }, 120_000);
});

/** How long a proxy with the page's lines takes to send requests to an instance again that it had found stopping. */
const CHECKED_MS = 5_000;
