import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { cliTypes } from "../../scripts/types-of-schemas.js";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test('the types of the command line are those of the API; "npm run client-types" writes them anew', () => {
  expect(read("src/cli/types.ts")).toBe(cliTypes(read("openapi.yaml")));
});
