/**
 * Writes src/client/types.ts from openapi.yaml: the client's types are those of the API, and it imports nothing of the
 * service. A test finds out when the file is stale.
 */
import { readFile, writeFile } from "node:fs/promises";
import { clientTypes } from "./types-of-schemas.js";

const document = await readFile(new URL("../openapi.yaml", import.meta.url), "utf8");
await writeFile(new URL("../src/client/types.ts", import.meta.url), clientTypes(document));
console.log("src/client/types.ts is written");
