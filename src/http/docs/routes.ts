import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createRoute, z } from "@hono/zod-openapi";
import { CoordinationError } from "../../errors.js";
import type { App } from "../context.js";
import { describe, toYaml } from "../openapi.js";
import { problemsOutsideV1 } from "../problem.js";
import { json } from "../responses/content.js";
import * as examples from "../system/examples.js";
import { DescriptionSchema } from "../system/schemas.js";

/** The description of the API and the page that shows it; all made and served here, without the internet. */
export function docsRoutes(app: App): void {
  let document: Record<string, unknown> | undefined;
  let yaml: string | undefined;

  app.openapi(
    createRoute({
      method: "get",
      path: "/openapi.json",
      operationId: "describeAsJson",
      tags: ["service"],
      summary: "This description",
      description: "For people: the page at /docs.",
      responses: {
        200: json("OpenAPI 3.1.", DescriptionSchema, examples.descriptions),
        ...problemsOutsideV1(),
      },
    }),
    (c) => {
      document ??= describe(app);
      return c.json(document, 200);
    },
  );

  app.openapi(
    createRoute({
      method: "get",
      path: "/openapi.yaml",
      operationId: "describeAsYaml",
      tags: ["service"],
      summary: "This description as YAML",
      responses: {
        200: {
          description: "OpenAPI 3.1.",
          content: { "application/yaml": { schema: z.string(), examples: examples.yamlDescriptions } },
        },
        ...problemsOutsideV1(),
      },
    }),
    (c) => {
      yaml ??= toYaml(describe(app));
      return c.body(yaml, 200, { "content-type": "application/yaml" });
    },
  );

  // Relative, as all links here: behind a proxy that puts a path in front it leads to the page as well.
  app.on("GET", "/", (c) => c.redirect("docs"));
  app.on("GET", "/docs", (c) =>
    c.html(PAGE, 200, {
      "content-security-policy": POLICY,
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
    }),
  );
  app.on("GET", "/docs/", (c) => c.redirect("../docs"));
  app.on("GET", "/docs/:file", async (c) => {
    const name = c.req.param("file");
    const type = FILES.get(name);
    if (!type) throw new CoordinationError("not_found", "There is no such file. The page is at /docs.");
    const file = name === "page.js" ? SCRIPT : await readFile(join(SWAGGER_UI, name));
    return c.body(file, 200, { "content-type": type, "cache-control": "public, max-age=3600" });
  });
}

const SWAGGER_UI = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));

const FILES = new Map([
  ["page.js", "text/javascript; charset=utf-8"],
  ["swagger-ui-bundle.js", "text/javascript; charset=utf-8"],
  ["swagger-ui.css", "text/css; charset=utf-8"],
  ["favicon-32x32.png", "image/png"],
]);

/** The browser itself sees to it that the page asks nobody else, and is in no frame of another. */
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

// Relative links: the page works behind a proxy that puts a path in front, too.
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
  // Else it sends the address of the description to a validator on the internet.
  validatorUrl: null,
});
`;
