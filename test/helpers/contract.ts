import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { ErrorCode } from "../../src/errors.js";
import { problemName } from "../../src/http/problem-schemas.js";

/** What a test got back. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed where it is JSON, else the text. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect, and the contract has checked the rest.
  readonly body: any;
}

export interface Schema {
  readonly [keyword: string]: unknown;
  readonly properties?: Record<string, Schema>;
}

export interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: {
    readonly schemas: Record<string, Schema>;
    readonly responses: Record<string, Response>;
  };
}

interface Operation {
  readonly responses: Record<string, Response>;
}

interface Response {
  readonly $ref?: string;
  readonly content?: Record<string, { readonly schema: Schema }>;
}

/**
 * Holds answers against the OpenAPI document, since nothing does so at run time: status and content type must be
 * declared for the operation, the body must match, and it may have no field that is not declared.
 */
export class Contract {
  readonly #ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true })
    .addVocabulary(["example", "discriminator"])
    .addFormat("int64", { type: "number", validate: Number.isSafeInteger });
  readonly #validators = new Map<Schema, ValidateFunction>();

  constructor(private readonly document: Document) {}

  /** Throws, with what is wrong, where the answer is not one that the operation declares. */
  check(method: string, path: string, answer: Answer): void {
    const operation = this.#operation(method, path);
    const type = answer.headers.get("content-type")?.split(";")[0] ?? "";
    const what = `${method} ${path} -> ${answer.status} ${type} ${JSON.stringify(answer.body)?.slice(0, 2000)}`;
    // These are said once for all operations, and of paths and methods that are none.
    const declared =
      operation && answer.status !== 413
        ? this.#response(operation, answer.status)
        : {
            content: {
              "application/problem+json": { schema: this.document.components.schemas.Problem as Schema },
            },
          };
    if (!declared) throw new Error(`the status is not declared: ${what}`);
    if (!declared.content && answer.body === "") return;
    const schema = declared.content?.[type]?.schema;
    if (!schema) throw new Error(`the content type is not declared: ${what}`);
    const validate = this.#validator(schema);
    const stated = answer.body.status;
    if (!validate(answer.body)) throw new Error(`${this.#ajv.errorsText(validate.errors)}: ${what}`);
    if (answer.status >= 400 && stated !== answer.status)
      throw new Error(`the problem states another status: ${what}`);
  }

  /** Throws where a problem is not what the schema of this code says. */
  checkProblem(code: ErrorCode, problem: unknown): void {
    const validate = this.#validator({ $ref: `#/components/schemas/${problemName(code)}` });
    if (!validate(problem))
      throw new Error(`${this.#ajv.errorsText(validate.errors)}: ${JSON.stringify(problem)}`);
  }

  #response({ responses }: Operation, status: number): Response | undefined {
    const found = responses[status] ?? responses.default;
    if (found?.$ref === undefined) return found;
    return this.document.components.responses[found.$ref.split("/").at(-1) ?? ""];
  }

  #operation(method: string, path: string) {
    // The same routes for any namespace, which the document says once for all.
    const bare = (path.split("?")[0] ?? "").replace(/^\/v1\/namespaces\/[^/]+\//, "/v1/");
    const verb = method.toLowerCase();
    // /v1/locks/acquire is a path of its own, and the lock of this name.
    const template = Object.keys(this.document.paths).find(
      (each) =>
        new RegExp(`^${each.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(bare) &&
        this.document.paths[each]?.[verb],
    );
    return template === undefined ? undefined : this.document.paths[template]?.[verb];
  }

  #validator(schema: Schema): ValidateFunction {
    const known = this.#validators.get(schema);
    if (known) return known;
    const made = this.#ajv.compile(this.#closed(schema));
    this.#validators.set(schema, made);
    return made;
  }

  /** The schema without references, and with every object closed to fields that it does not declare. */
  #closed(schema: Schema): Schema {
    if (typeof schema.$ref === "string") {
      const target = this.document.components.schemas[schema.$ref.split("/").at(-1) ?? ""];
      if (!target) throw new Error(`${schema.$ref} is not in the document`);
      return this.#closed(target);
    }
    if (Array.isArray(schema.allOf)) {
      const { allOf, ...own } = schema;
      const parts: Schema[] = [...allOf.map((part) => this.#closed(part)), this.#closed(own)];
      return {
        type: "object",
        properties: Object.assign({}, ...parts.map((part) => part.properties)),
        required: parts.flatMap((part) => (part.required as string[] | undefined) ?? []),
        additionalProperties: false,
      };
    }
    const inner = (value: unknown) =>
      value && typeof value === "object" ? this.#closed(value as Schema) : value;
    return {
      ...schema,
      ...this.#closedUnion(schema),
      ...(schema.items ? { items: inner(schema.items) } : {}),
      ...(schema.additionalProperties ? { additionalProperties: inner(schema.additionalProperties) } : {}),
      ...(schema.properties && {
        additionalProperties: false,
        properties: Object.fromEntries(
          Object.entries(schema.properties).map(([name, property]) => [name, this.#closed(property)]),
        ),
      }),
    };
  }

  #closedUnion({ oneOf, anyOf }: Schema): Schema {
    const all = (parts: unknown) => (parts as Schema[]).map((part) => this.#closed(part));
    return { ...(oneOf ? { oneOf: all(oneOf) } : {}), ...(anyOf ? { anyOf: all(anyOf) } : {}) };
  }
}
