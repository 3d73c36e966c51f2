import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { CoordinationError } from "../../errors.js";
import type { App } from "../context.js";
import { describe } from "../openapi.js";

/** `/openapi.json`, `/openapi.yaml` and the page that shows them; all served from here, without the internet. */
export function docsRoutes(app: App): void {
  let document: object | undefined;
  app.get("/openapi.json", (c) => {
    document ??= describe(app);
    return c.json(document);
  });
  app.get("/openapi.yaml", async (c) => {
    const text = await readFile(new URL("../../../openapi.yaml", import.meta.url), "utf8");
    return c.body(text, 200, { "content-type": "application/yaml; charset=utf-8" });
  });
  app.get("/docs", (c) => c.html(PAGE));
  app.get("/docs/:file", async (c) => {
    const type = FILES.get(c.req.param("file"));
    if (!type) throw new CoordinationError("not_found", "There is no such file. The page is at /docs.");
    const file = await readFile(join(SWAGGER_UI, c.req.param("file")));
    return c.body(new Uint8Array(file), 200, {
      "content-type": type,
      "cache-control": "public, max-age=3600",
    });
  });
}

const SWAGGER_UI = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));

const FILES = new Map([
  ["swagger-ui-bundle.js", "text/javascript; charset=utf-8"],
  ["swagger-ui.css", "text/css; charset=utf-8"],
  ["favicon-32x32.png", "image/png"],
]);

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Quorate API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({ url: "/openapi.json", dom_id: "#ui", deepLinking: true });</script>
</body>
</html>
`;
