import { z } from "@hono/zod-openapi";
import { CoordinationError } from "../../errors.js";
import { closestTo } from "./closest.js";

/** A part of a request that does not fit its schema. */
export interface Misfit {
  readonly part: "query" | "param" | "header" | "json";
  readonly schema: z.ZodType;
  readonly given: unknown;
  readonly issues: readonly z.core.$ZodIssue[];
}

/** The problem for it, in words: unknown fields come first, as the other errors often follow from them. */
export function invalid(misfit: Misfit): CoordinationError {
  const unknown = misfit.issues.flatMap((issue) => strangers(issue, misfit));
  const wrong = misfit.issues
    .filter(({ code }) => code !== "unrecognized_keys")
    .slice(0, ISSUES_MAX)
    .map((issue) => ({ field: fieldOf(issue.path), detail: inWords(issue, misfit) }));
  const seen = new Set<string>();
  // Several checks of one value may have failed, all with the same message.
  const errors = [...unknown, ...wrong].filter(({ field }) => !seen.has(field) && seen.add(field));
  return invalidFields(errors.slice(0, ISSUES_MAX));
}

export function invalidFields(errors: readonly { field: string; detail: string }[]): CoordinationError {
  const [first = { field: "", detail: "is not valid" }] = errors;
  const detail = first.field ? `${first.field}: ${first.detail}` : `The body ${first.detail}.`;
  return new CoordinationError("invalid_request", detail, {
    help: { errors, ...(first.field && { field: first.field }) },
  });
}

/** The error for an unknown parameter of a query, with the closest known one. */
export function noSuchParameter(name: string, known: readonly string[]): { field: string; detail: string } {
  return { field: shortened(name), detail: `there is no such parameter${instead(name, known)}` };
}

function strangers(issue: z.core.$ZodIssue, { part, schema }: Misfit): { field: string; detail: string }[] {
  if (issue.code !== "unrecognized_keys") return [];
  const object = schemaAt(schema, issue.path);
  const known = object instanceof z.ZodObject ? Object.keys(object.shape) : [];
  return issue.keys
    .slice(0, ISSUES_MAX)
    .map((key) =>
      part === "query"
        ? noSuchParameter(key, known)
        : { field: fieldOf([...issue.path, key]), detail: `there is no such field${instead(key, known)}` },
    );
}

function instead(name: string, known: readonly string[]): string {
  const closest = closestTo(name, known);
  return closest === undefined ? "" : `; did you mean ${closest}?`;
}

function inWords(issue: z.core.$ZodIssue, { part, schema, given }: Misfit): string {
  const value = valueAt(given, issue.path);
  if (value === undefined) return "is missing";
  if (part === "query" && Array.isArray(value)) return "may be given once only";
  // Messages of the schemas are words already; but a pattern for a number in a query says only that it is a number.
  if (issue.code === "custom") return issue.message;
  if (issue.code === "invalid_key") return nameInWords(schemaAt(schema, issue.path.slice(0, -1)));
  const at = schemaAt(schema, issue.path);
  if (issue.code === "invalid_format" && !(at instanceof z.ZodPipe)) return `must be ${issue.message}`;
  return expectationOf(at) ?? "is not valid";
}

function nameInWords(record: z.ZodType | undefined): string {
  const at = record instanceof z.ZodPipe ? (record.out as z.ZodType) : record;
  const expectation = at instanceof z.ZodRecord ? expectationOf(at.keyType as z.ZodType) : undefined;
  return `its name ${expectation ?? "is not valid"}`;
}

/** What a value must be, by its schema. Cached: many wrong requests must not cost more than right ones. */
function expectationOf(schema: z.ZodType | undefined): string | undefined {
  if (!schema) return undefined;
  if (!EXPECTATIONS.has(schema)) EXPECTATIONS.set(schema, read(schema));
  return EXPECTATIONS.get(schema);
}

const EXPECTATIONS = new WeakMap<z.ZodType, string | undefined>();

function read(schema: z.ZodType): string | undefined {
  const shape = z.toJSONSchema(schema, { unrepresentable: "any", io: "output" });
  if (shape.const !== undefined) return `must be ${JSON.stringify(shape.const)}`;
  if (shape.enum) return `must be ${shape.enum.map((each) => JSON.stringify(each)).join(" or ")}`;
  switch (shape.type) {
    case "integer":
      return `must be a whole number${range(shape.minimum, shape.maximum)}`;
    case "number":
      return `must be a number${range(shape.minimum, shape.maximum)}`;
    case "string":
      // If a pattern limits the length, only its own message says which characters are allowed.
      return `must be text${size(shape.minLength, shape.maxLength, " characters")}`;
    case "array":
      return `must be a list${size(shape.minItems, shape.maxItems)}`;
    case "boolean":
      return "must be true or false";
    case "object":
      return "must be a JSON object";
  }
  return undefined;
}

function range(min: number | undefined, max: number | undefined): string {
  if (min === undefined) return max === undefined ? "" : ` up to ${max}`;
  return max === undefined ? ` from ${min}` : ` from ${min} to ${max}`;
}

function size(min: number | undefined, max: number | undefined, unit = ""): string {
  if (max === undefined) return min ? ` of ${min} or more${unit}` : "";
  return min ? ` of ${min} to ${max}${unit}` : ` of at most ${max}${unit}`;
}

function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | undefined {
  let at: z.ZodType | undefined = bare(schema);
  for (const key of path) {
    // Of what is looked at before it is checked, such as a record.
    if (at instanceof z.ZodPipe) at = bare(at.out as z.ZodType);
    if (at instanceof z.ZodObject) at = bare(at.shape[String(key)]);
    else if (at instanceof z.ZodArray) at = bare(at.element as z.ZodType);
    else if (at instanceof z.ZodRecord) at = bare(at.valueType as z.ZodType);
    else return undefined;
  }
  return at;
}

/** Without the wrappers that make it optional. */
function bare(schema: z.ZodType | undefined): z.ZodType | undefined {
  let at = schema;
  while (at instanceof z.ZodOptional || at instanceof z.ZodNullable || at instanceof z.ZodReadonly) {
    at = at.unwrap() as z.ZodType;
  }
  return at;
}

function valueAt(given: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], given);
}

function fieldOf(path: readonly PropertyKey[]): string {
  return path.map((key) => shortened(String(key))).join(".");
}

/** Longer than any known name: not repeated in full. */
function shortened(name: string): string {
  return name.length > NAME_LENGTH_MAX ? `${name.slice(0, NAME_LENGTH_MAX)}…` : name;
}

const ISSUES_MAX = 10;
const NAME_LENGTH_MAX = 64;
