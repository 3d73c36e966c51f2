import { type ErrorCode, QuorateError } from "../client/errors.js";
import { EXIT } from "./exit-codes.js";

/** Ends `quorate` with one line on stderr and an exit code. */
export class CliFailure extends Error {
  override readonly name = "CliFailure";

  constructor(
    readonly exitCode: number,
    message: string,
    /** What `--json` shows beside the message. */
    readonly fields: object = {},
  ) {
    super(message);
  }
}

/** The command line itself is wrong. */
export const wrongUse = (message: string): CliFailure => new CliFailure(EXIT.wrongUse, message);

/** Any failure, as a line and an exit code. */
export function toFailure(error: unknown): CliFailure {
  if (error instanceof CliFailure) return error;
  if (!(error instanceof QuorateError)) return new CliFailure(EXIT.internal, oneLine(String(error)));
  const { name: _, message, ...fields } = error;
  return new CliFailure(exitCodeOf(error.code), oneLine(textOf(error)), fields);
}

export function exitCodeOf(code: ErrorCode): number {
  return EXIT_CODES[code] ?? EXIT.unavailable;
}

function textOf(error: QuorateError): string {
  const { code, message } = error;
  if (code === "unreachable" && UNKNOWN_CA.test(message))
    return `${message} Name the file of its CA in NODE_EXTRA_CA_CERTS`;
  // What fetch says is no reason: that is its cause.
  if (code === "unreachable")
    return `no instance answered: ${message.replace("TypeError: fetch failed", rootOf(error))} Is it running? \`quorate serve\` starts one`;
  if (code === "unauthenticated") return `${message} The key comes from QUORATE_KEY or QUORATE_KEY_FILE`;
  return message;
}

/** As OpenSSL says it. */
const UNKNOWN_CA = /self-signed certificate|(?:first|local issuer) certificate/;

/** What the first cause of a failure says of itself. */
function rootOf(error: Error): string {
  let root: Error & { readonly code?: string } = error;
  while (root.cause instanceof Error) root = root.cause;
  return root.code ?? root.message;
}

const oneLine = (text: string) => text.replace(/\s*\n\s*/g, " ").replace(/\.$/, "");

/** All others say that no instance can help now. */
const EXIT_CODES: { readonly [Code in ErrorCode]?: number } = {
  invalid_request: EXIT.wrongUse,
  too_large: EXIT.wrongUse,
  limit_mismatch: EXIT.wrongUse,
  not_found: EXIT.no,
  unknown_member: EXIT.no,
  no_members: EXIT.no,
  version_mismatch: EXIT.no,
  already_decided: EXIT.no,
  decision_forgotten: EXIT.no,
  too_many_keyed: EXIT.notAcquired,
  internal: EXIT.internal,
  lease_mismatch: EXIT.internal,
  held: EXIT.notAcquired,
  too_many: EXIT.notAcquired,
  quota_exceeded: EXIT.notAcquired,
  rate_limited: EXIT.notAcquired,
  lease_lost: EXIT.lost,
  deadline: EXIT.lost,
  superseded: EXIT.lost,
  unauthenticated: EXIT.notAllowed,
  forbidden: EXIT.notAllowed,
};
