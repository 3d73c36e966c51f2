import { beforeAll, describe, expect, test } from "vitest";
import { ERROR_CODES, type ErrorCode } from "../../src/errors.js";
import { problemExamples } from "../../src/http/problem.js";
import { problemName } from "../../src/http/problem-schemas.js";
import { Contract, type Document, type Schema } from "../helpers/contract.js";
import { startOffline } from "../helpers/service.js";

// What generators of clients make of the API description follows from its schemas.

let document: Document;

beforeAll(async () => {
  await using offline = await startOffline();
  document = (await offline.call("GET", "/openapi.json")).body;
});

/** All schemas below a part of the document, references among them, each with the path to it. */
function* schemasIn(part: unknown, path: readonly string[] = []): Generator<[string, Schema]> {
  if (typeof part !== "object" || part === null) return;
  const [parent = "", name = ""] = path.slice(-2);
  if (
    ["schema", "items"].includes(name) ||
    ["properties", "schemas", "allOf", "oneOf", "anyOf"].includes(parent)
  )
    yield [path.join("."), part as Schema];
  for (const [key, value] of Object.entries(part)) {
    const isField = name === "properties";
    if (isField || !["example", "examples", "discriminator"].includes(key))
      yield* schemasIn(value, [...path, key]);
  }
}

/** The schemas and their fields without words of their own, or of what has them. */
function muteIn(document: Document): string[] {
  return [...schemasIn(document)]
    .filter(([path, { $ref, description }]) => !$ref && !description && !isPart(path) && !isWhole(path))
    .map(([path]) => path);
}

/** Objects and unions that generators have to invent a name for. */
function namelessIn(document: Document): string[] {
  return [...schemasIn(document)]
    .filter(([path, { properties, oneOf, allOf }]) => !isNamed(path) && (properties || oneOf || allOf))
    .map(([path]) => path)
    .filter((path) => !isWhole(path));
}

const isNamed = (path: string) => /^components\.schemas\.\w+$/.test(path);
const isPart = (path: string) => /\.(items|(allOf|oneOf|anyOf)\.\d+)$/.test(path);
/** A named response, or a header, has the words and the name. */
const isWhole = (path: string) =>
  /^components\.responses\.\w+\.content\.[^.]+\.schema$|\.headers\.[\w-]+\.schema$/.test(path);

describe("the schemas", () => {
  test("are described, and so are their fields", () => {
    expect(muteIn(document)).toEqual([]);
  });

  test("have names wherever they have fields or are unions: generators would number those that have none", () => {
    expect(namelessIn(document)).toEqual([]);
  });

  test("with the same values to choose from are one schema", () => {
    const choices = [...schemasIn(document)].flatMap(([, schema]) =>
      schema.enum ? [JSON.stringify(schema.enum)] : [],
    );
    expect(choices.length).toBeGreaterThan(4);
    expect(new Set(choices).size).toBe(choices.length);
  });

  test("without words, or without names, would be found", () => {
    const worse = structuredClone(document);
    const { Lease, Live } = worse.components.schemas as Record<string, Record<string, Schema>>;
    (Lease as Record<string, unknown>).description = undefined;
    (Live?.properties as Record<string, unknown>).inside = {
      type: "object",
      properties: { a: { type: "string" } },
    };
    expect(muteIn(worse)).toEqual([
      "components.schemas.Lease",
      "components.schemas.Live.properties.inside",
      "components.schemas.Live.properties.inside.properties.a",
    ]);
    expect(namelessIn(worse)).toEqual(["components.schemas.Live.properties.inside"]);
  });
});

test("responses with problems are written once", () => {
  const failures = Object.values(document.paths)
    .flatMap((methods) => Object.values(methods))
    .flatMap(({ responses }) => Object.entries(responses).filter(([status]) => /^[45]/.test(status)));
  expect(failures.length).toBeGreaterThan(200);
  expect(failures.filter(([, { $ref }]) => !$ref)).toEqual([]);
  const texts = Object.values(document.components.responses).map((response) => JSON.stringify(response));
  expect(new Set(texts).size).toBe(texts.length);
});

const schemaOf = (code: ErrorCode) => document.components.schemas[problemName(code)] as Schema;
const requiredOf = (code: ErrorCode) => schemaOf(code).required as string[];

describe("a problem", () => {
  test("of each code has a schema of its own, whose code is a constant and always there", () => {
    for (const code of ERROR_CODES) {
      expect(schemaOf(code).properties?.code, code).toMatchObject({ type: "string", const: code });
      expect(requiredOf(code), code).toContain("code");
    }
    const refs = ERROR_CODES.map((code) => `#/components/schemas/${problemName(code)}`);
    const { oneOf, discriminator } = document.components.schemas.Problem as Schema;
    expect(oneOf).toEqual(refs.map(($ref) => ({ $ref })));
    expect(discriminator).toEqual({
      propertyName: "code",
      mapping: Object.fromEntries(ERROR_CODES.map((code, i) => [code, refs[i]])),
    });
  });

  test("has the fields of its code, and says which of them are always there", () => {
    const own = ERROR_CODES.flatMap((code) => {
      const fields = Object.keys(schemaOf(code).properties ?? {}).filter((name) => !OF_ALL.includes(name));
      const marked = fields.map((name) => (requiredOf(code).includes(name) ? name : `${name}?`));
      return fields.length > 0 ? [[code, marked]] : [];
    });
    expect(Object.fromEntries(own)).toEqual({
      invalid_request: ["field?", "errors?"],
      method_not_allowed: ["allow"],
      held: ["retryAfterMs", "queuePosition", "holder?"],
      already_decided: ["decision"],
      limit_mismatch: ["limit"],
      rate_limited: ["retryAfterMs"],
      quota_exceeded: ["retryAfterMs"],
      too_many: ["retryAfterMs?"],
      lease_lost: ["lost", "field?"],
      version_mismatch: ["etag?", "version?", "revision?", "field?"],
      too_many_keyed: ["retryAfterMs"],
      no_quorum: ["retryAfterMs?"],
      contended: ["retryAfterMs"],
      too_many_transactions: ["retryAfterMs"],
      authentication_unavailable: ["retryAfterMs"],
      overloaded: ["retryAfterMs"],
    });
  });

  const OF_ALL = ["type", "title", "status", "code", "detail", "requestId"];

  test.each(ERROR_CODES)(
    "%s is not one without any of its fields, nor with those of another code",
    (code) => {
      const contract = new Contract(document);
      const { value } = problemExamples()[code] as { value: Record<string, unknown> };
      contract.checkProblem(code, value);
      for (const name of requiredOf(code)) {
        const { [name]: _, ...rest } = value;
        expect(() => contract.checkProblem(code, rest), name).toThrow(name);
      }
      expect(() => contract.checkProblem(code, { ...value, slots: [1] })).toThrow("additional");
      expect(() => contract.checkProblem(code, { ...value, status: 418 })).toThrow("status");
    },
  );
});
