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
  ...["AcquireRequest", "AcquirePermitsRequest", "CampaignRequest", "RegisterRequest", "PickRequest"],
  ...["Lease", "Permits", "Term", "Election", "Registered", "LoadReport", "Pulse", "Members", "Picked"],
  ...["Register", "ChangedRegister", "ArriveRequest", "Arrived", "Latch"],
  ...["RegisterTransactionRequest", "RegisterTransaction"],
  ...["BeginTransactionRequest", "VoteRequest", "Transaction"],
];

/** What the command line receives. */
const PRINTED = [
  ...[
    "Lock",
    "Locks",
    "Holders",
    "Semaphore",
    "Election",
    "Members",
    "Services",
    "Owners",
    "PickRequest",
    "Picked",
  ],
  ...["Broken", "Primaries", "Ready", "Register", "Registers", "Transaction", "Transactions"],
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
function typesOf(
  { components: { schemas } }: Document,
  names: readonly string[],
  withProblems = true,
): string {
  const naming = { schemas, todo: [...names] };
  const problems = withProblems ? problemsOf(schemas) : [];
  const fields = problems.map((problem) => `  ${codeOf(problem)}: ${fieldsOf(problem, naming)};`);
  const done = new Map<string, string>();
  for (let name = naming.todo.shift(); name !== undefined; name = naming.todo.shift()) {
    if (done.has(name)) continue;
    const schema = schemaOf(name, schemas);
    done.set(name, `${docOf(schema)}export type ${name} = ${typeOf(schema, naming)};\n`);
  }
  if (!withProblems) return [...done.values()].join("\n");
  return [
    ...done.values(),
    "/** The fields that a problem has beside its code, by code. */",
    `export interface ProblemFields {\n${fields.join("\n")}\n}\n`,
  ].join("\n");
}

type Schemas = Readonly<Record<string, Schema>>;

interface Document {
  readonly components: { readonly schemas: Schemas };
}

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly const?: string | number;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly description?: string;
  readonly properties?: Schemas;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
}

/** What types need besides their own schema: all of them, and where to put the names that they refer to. */
interface Naming {
  readonly schemas: Schemas;
  readonly todo: string[];
}

function schemaOf(name: string, schemas: Schemas): Schema {
  const schema = schemas[name];
  if (!schema) throw new Error(`the document has no schema ${name}`);
  return schema;
}

const nameOf = ($ref: string) => $ref.split("/").at(-1) as string;

/** The problems of all codes. */
function problemsOf(schemas: Schemas): Schema[] {
  const { oneOf = [] } = schemaOf("Problem", schemas);
  return oneOf.map(({ $ref = "" }) => schemaOf(nameOf($ref), schemas));
}

const codeOf = ({ properties }: Schema) => properties?.code?.const;

/** The fields of a problem that not all problems have. */
function fieldsOf({ properties = {}, ...problem }: Schema, naming: Naming): string {
  const own = Object.entries(properties).filter(([name]) => !OF_ALL.includes(name));
  return objectType({ ...problem, properties: Object.fromEntries(own) }, naming);
}

const OF_ALL = ["type", "title", "status", "code", "detail", "requestId"];

function typeOf(schema: Schema, naming: Naming): string {
  if (schema.$ref !== undefined) {
    const name = nameOf(schema.$ref);
    naming.todo.push(name);
    return name;
  }
  if (schema.allOf) {
    const { allOf, ...own } = schema;
    const parts = own.properties ? [...allOf, own] : allOf;
    return parts.map((part) => typeOf(part, naming)).join(" & ");
  }
  const either = schema.oneOf ?? schema.anyOf;
  if (either) return either.map((part) => typeOf(part, naming)).join(" | ");
  const values = schema.const === undefined ? schema.enum : [schema.const];
  if (values) return values.map((value) => JSON.stringify(value)).join(" | ");
  const types = [schema.type ?? "unknown"].flat();
  return types
    .map((type) => (type === "object" ? objectType(schema, naming) : simpleType(type, schema, naming)))
    .join(" | ");
}

function simpleType(type: string, { items }: Schema, naming: Naming): string {
  if (type === "integer") return "number";
  return type === "array" ? `readonly (${typeOf(items ?? {}, naming)})[]` : type;
}

function objectType({ properties, additionalProperties, required = [] }: Schema, naming: Naming): string {
  if (!properties && typeof additionalProperties === "object")
    return `{ readonly [name: string]: ${typeOf(additionalProperties, naming)} }`;
  // Only requests are closed. What they may leave out may be undefined as well.
  const isRequest = additionalProperties === false;
  const lines = Object.entries(properties ?? {}).map(([name, property]) => {
    const type = typeOf(property, naming);
    const mark = required.includes(name) ? "" : "?";
    const leftOut = mark && isRequest && type !== "unknown" ? " | undefined" : "";
    const described =
      property.$ref === undefined ? property : schemaOf(nameOf(property.$ref), naming.schemas);
    return `${docOf(described)}readonly ${name}${mark}: ${type}${leftOut};`;
  });
  if (lines.length === 0) return "object";
  return `{\n${lines.join("\n")}\n}`;
}

function docOf({ description }: Schema): string {
  return description === undefined ? "" : `/** ${description} */\n`;
}
