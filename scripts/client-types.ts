/**
 * Writes src/client/types.ts and src/cli/types.ts from openapi.yaml: their types are those of the API, and they import
 * nothing of the service. A test finds out when the files are stale.
 */
import { readFile, writeFile } from "node:fs/promises";
import { clientTypes, cliTypes } from "./types-of-schemas.js";

const document = await readFile(new URL("../openapi.yaml", import.meta.url), "utf8");
await writeFile(new URL("../src/client/types.ts", import.meta.url), clientTypes(document));
await writeFile(new URL("../src/cli/types.ts", import.meta.url), cliTypes(document));
console.log("src/client/types.ts and src/cli/types.ts are written");
