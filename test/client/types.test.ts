import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { clientTypes } from "../../scripts/types-of-schemas.js";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test('the types of the client are those of the API; "npm run client-types" writes them anew', () => {
  expect(read("src/client/types.ts")).toBe(clientTypes(read("openapi.yaml")));
});

test("a field that the API gets would be noticed", () => {
  const more = read("openapi.yaml").replace(
    "validForMs:\n          type: integer",
    "validForMs:\n          type: string",
  );
  expect(clientTypes(more)).not.toBe(read("src/client/types.ts"));
});
