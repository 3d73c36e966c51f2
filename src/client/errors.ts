import type { ProblemFields } from "./types.js";

/** Failures that no instance reports: the client finds them out. */
export interface OwnFields {
  /** No instance answered: the request was lost, or its answer was. It may have taken effect. */
  unreachable: object;
  /** What answered is not Quorate: a proxy, or another server. */
  unexpected_answer: { readonly status: number };
  /** No renewal was confirmed in time: the lease cannot be trusted any longer. `cause` is the last failure, if any. */
  deadline: object;
}

type Fields = ProblemFields & OwnFields;

export type ErrorCode = keyof Fields;

/** A failure. Program against its `code`; what else it has depends on that. */
class Failure<Code extends ErrorCode> extends Error {
  override readonly name = "QuorateError";
  /** The X-Request-Id of the request, as in the logs of the service. */
  readonly requestId?: string;

  constructor(
    readonly code: Code,
    message: string,
    fields: Fields[Code],
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    Object.assign(this, fields);
  }
}

/** One of the failures, with the fields of its code. */
export type QuorateErrorOf<Code extends ErrorCode> = Failure<Code> & Fields[Code];

/**
 * Any failure: a union that its `code` narrows.
 *
 * @example
 * if (error instanceof QuorateError && error.code === "held") console.log(error.holder?.owner);
 */
export type QuorateError = { [Code in ErrorCode]: QuorateErrorOf<Code> }[ErrorCode];

/** The class, for `instanceof`. */
export const QuorateError = Failure as unknown as {
  new (...args: never): QuorateError;
  readonly prototype: QuorateError;
};

export function failure<Code extends ErrorCode>(
  code: Code,
  message: string,
  fields: Fields[Code],
  cause?: unknown,
): QuorateErrorOf<Code> {
  return new Failure(code, message, fields, cause) as QuorateErrorOf<Code>;
}

/** The failure that an instance reports. Codes that this version does not know are kept: a newer service may have more. */
export function fromProblem(problem: Problem): QuorateError {
  const { code, detail, type: _, title: __, status: ___, ...fields } = problem;
  return failure(code, detail, fields as Fields[typeof code]) as QuorateError;
}

/** A body of `application/problem+json` from Quorate. */
export interface Problem {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly [field: string]: unknown;
}

export function isProblem(body: unknown): body is Problem {
  const { code, detail } = (body ?? {}) as Partial<Problem>;
  return typeof code === "string" && typeof detail === "string";
}
