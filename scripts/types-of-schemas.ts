import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

/** The text of src/client/types.ts, given that of openapi.yaml. */
export function clientTypes(document: string): string {
  return fileWith(typesOf(parse(document) as Document, USED));
}

/** The text of src/cli/types.ts. */
export function cliTypes(document: string): string {
  return fileWith(typesOf(parse(document) as Document, PRINTED, false));
}

/** What the client sends and receives. */
const USED = [
  ...["AcquireRequest", "AcquirePermitsRequest", "CampaignRequest", "RegisterRequest"],
  ...["Lease", "Permits", "Term", "Election", "Registered", "Pulse", "Members"],
];

/** What the command line receives. */
const PRINTED = [
  ...["Lock", "Locks", "Holders", "Semaphore", "Election", "Members", "Services", "Owners"],
  ...["Broken", "Primaries", "Ready"],
];

const fileWith = (types: string) =>
  formatted(`// Made by "npm run client-types" from openapi.yaml.\n\n${types}`);

function formatted(text: string): string {
  const biome = fileURLToPath(new URL("../node_modules/.bin/biome", import.meta.url));
  const { stdout, stderr, status } = spawnSync(biome, ["format", "--stdin-file-path=src/client/types.ts"], {
    input: text,
    encoding: "utf8",
    cwd: fileURLToPath(new URL("..", import.meta.url)),
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

/**
 * TypeScript for the schemas of an OpenAPI document: what the client sends and receives. `names`: the schemas to begin
 * with; those that they refer to follow. `withProblems`: and the fields of problems.
 */
function typesOf({ components }: Document, names: readonly string[], withProblems = true): string {
  const { schemas, examples } = components;
  const todo = [...names];
  const problem = schemas.Problem?.properties ?? {};
  const codes = problem.code?.enum ?? [];
  const fields = (withProblems ? codes : []).map(
    (code) => `  ${code}: ${fieldsOf(problem, examples[code]?.value ?? {}, todo)};`,
  );
  const done = new Map<string, string>();
  for (let name = todo.shift(); name !== undefined; name = todo.shift()) {
    if (done.has(name)) continue;
    const schema = schemas[name];
    if (!schema) throw new Error(`the document has no schema ${name}`);
    done.set(name, `export type ${name} = ${typeOf(schema, todo)};\n`);
  }
  if (!withProblems) return [...done.values()].join("\n");
  return [
    ...done.values(),
    "/** The fields that a problem may have beside its code, by code. */",
    `export interface ProblemFields {\n${fields.join("\n")}\n}\n`,
  ].join("\n");
}

interface Document {
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    /** One problem of each code. */
    readonly examples: Readonly<Record<string, { readonly value: object }>>;
  };
}

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly allOf?: readonly Schema[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
}

/** `todo` gets the names that the type refers to. */
function typeOf(schema: Schema, todo: string[]): string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split("/").at(-1) as string;
    todo.push(name);
    return name;
  }
  if (schema.allOf) {
    const { allOf, ...own } = schema;
    const parts = own.properties ? [...allOf, own] : allOf;
    return parts.map((part) => typeOf(part, todo)).join(" & ");
  }
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const types = [schema.type ?? "unknown"].flat();
  return types
    .map((type) => (type === "object" ? objectType(schema, todo) : simpleType(type, schema, todo)))
    .join(" | ");
}

function simpleType(type: string, { items }: Schema, todo: string[]): string {
  if (type === "integer") return "number";
  return type === "array" ? `readonly (${typeOf(items ?? {}, todo)})[]` : type;
}

function objectType({ properties, additionalProperties, required = [] }: Schema, todo: string[]): string {
  if (!properties && typeof additionalProperties === "object")
    return `{ readonly [name: string]: ${typeOf(additionalProperties, todo)} }`;
  // Only requests are closed. What they may leave out may be undefined as well.
  const isRequest = additionalProperties === false;
  const lines = Object.entries(properties ?? {}).map(([name, property]) => {
    const type = typeOf(property, todo);
    const mark = required.includes(name) ? "" : "?";
    const leftOut = mark && isRequest && type !== "unknown" ? " | undefined" : "";
    return `${docOf(property)}readonly ${name}${mark}: ${type}${leftOut};`;
  });
  if (lines.length === 0) return "object";
  return `{\n${lines.join("\n")}\n}`;
}

function docOf({ description }: Schema): string {
  return description === undefined ? "" : `/** ${description} */\n`;
}

/** Of the fields of all problems, those that the example of a code has. The document does not say which are always there. */
function fieldsOf(problem: Readonly<Record<string, Schema>>, example: object, todo: string[]): string {
  const known = ["type", "title", "status", "code", "detail", "requestId"];
  const own = Object.keys(example).filter((name) => !known.includes(name));
  const properties = Object.fromEntries(own.map((name) => [name, problem[name] ?? {}]));
  return objectType({ properties }, todo);
}
