import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { z } from "@hono/zod-openapi";
import { CoordinationError } from "../../errors.js";
import { describe, toYaml } from "../openapi.js";
import type { Routes } from "../registration.js";
import { json } from "../responses/content.js";
import { Reply } from "../responses/reply.js";
import * as examples from "../system/examples.js";
import { DescriptionSchema } from "../system/schemas.js";

/** The description of the API and the page that shows it; both served from here, without the internet. */
export function docsRoutes(routes: Routes): void {
  let document: Record<string, unknown> | undefined;
  let yaml: string | undefined;

  routes.add({
    method: "get",
    path: "/openapi.json",
    operationId: "describeAsJson",
    needs: "any key",
    tags: ["service"],
    summary: "This description",
    description: "The page at /docs shows it to people.",
    answer: json("OpenAPI 3.1.", DescriptionSchema, examples.descriptions),
    handle: () => {
      document ??= describe(routes.app);
      return document;
    },
  });

  routes.add({
    method: "get",
    path: "/openapi.yaml",
    operationId: "describeAsYaml",
    needs: "any key",
    tags: ["service"],
    summary: "This description as YAML",
    description: "The same content as /openapi.json.",
    answer: {
      description: "OpenAPI 3.1.",
      content: {
        "application/yaml": {
          schema: z.string().openapi({ description: "An OpenAPI document." }),
          examples: examples.yamlDescriptions,
        },
      },
    },
    handle: () => {
      yaml ??= toYaml(describe(routes.app));
      return new Reply(200, yaml, { "content-type": "application/yaml" });
    },
  });

  // Relative, as all links here: it also works behind a proxy that adds a path prefix.
  routes.page("/", () => new Reply(302, null, { location: "docs" }));
  const page = new Reply(200, PAGE, {
    "content-type": "text/html; charset=UTF-8",
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
  });
  routes.page("/docs", () => page);
  routes.page("/docs/", () => new Reply(302, null, { location: "../docs" }));
  routes.page("/docs/:file", async (c) => {
    const name = c.req.param("file") ?? "";
    const type = FILES.get(name);
    if (!type) throw new CoordinationError("not_found", "There is no such file. The page is at /docs.");
    const file = name === "page.js" ? SCRIPT : await readFile(join(SWAGGER_UI, name));
    return new Reply(200, file, { "content-type": type, "cache-control": "public, max-age=3600" });
  });
}

const SWAGGER_UI = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));

const FILES = new Map([
  ["page.js", "text/javascript; charset=utf-8"],
  ["swagger-ui-bundle.js", "text/javascript; charset=utf-8"],
  ["swagger-ui.css", "text/css; charset=utf-8"],
  ["favicon-32x32.png", "image/png"],
]);

/** Makes the browser ensure that the page contacts nobody else and is in no foreign frame. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  // Swagger UI sets some of its styles on elements.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

// Relative links: the page also works behind a proxy that adds a path prefix.
const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Quorate API</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/page.js"></script>
</body>
</html>
`;

const SCRIPT = `SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#ui",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
  // Otherwise it sends the address of the description to a validator on the internet.
  validatorUrl: null,
});
`;
