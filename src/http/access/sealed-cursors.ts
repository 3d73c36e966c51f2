import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import type { Ids } from "../../ids.js";
import { invalidFields } from "../requests/invalid.js";

/**
 * Cursors that do not show where they point to: at a name that the caller may not read. Encrypted (AES-256-GCM) by a key
 * that all instances of a deployment can make, and no client: so a cursor is good at each of them, and bound to its list.
 */
export class SealedCursors {
  #key: { readonly secret: string; readonly bytes: Buffer } | undefined;

  /** `secret`: that all instances share. */
  constructor(
    private readonly secret: () => string,
    private readonly ids: Pick<Ids, "nonce">,
  ) {}

  /** `list`: what it may be opened for, such as one namespace and one prefix. */
  seal(name: string, list: string): string {
    const nonce = Buffer.from(this.ids.nonce(), "base64url").subarray(0, NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#keyNow(), nonce).setAAD(Buffer.from(list));
    // Of one length, which would tell something of the name.
    const sealed = [cipher.update(name.padEnd(NAME_LENGTH_MAX)), cipher.final(), cipher.getAuthTag()];
    return MARK + Buffer.concat([nonce, ...sealed]).toString("base64url");
  }

  /** The name in a cursor; one that is not sealed is the name itself. Throws `invalid_request`. */
  open(cursor: string, list: string): string {
    if (!isSealed(cursor)) return cursor;
    const bytes = Buffer.from(cursor.slice(MARK.length), "base64url");
    const decipher = createDecipheriv(ALGORITHM, this.#keyNow(), bytes.subarray(0, NONCE_BYTES));
    decipher.setAAD(Buffer.from(list)).setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const opened = [decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()];
      return Buffer.concat(opened).toString().trimEnd();
    } catch {
      throw invalidFields([{ field: "cursor", detail: "is not one of this list: begin again without it" }]);
    }
  }

  #keyNow(): Buffer {
    const secret = this.secret();
    if (this.#key?.secret !== secret)
      this.#key = { secret, bytes: createHash("sha256").update(`cursor\n${secret}`).digest() };
    return this.#key.bytes;
  }
}

const ALGORITHM = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NAME_LENGTH_MAX = 128;
/** No name begins with it. */
const MARK = ".";

const LENGTH = MARK.length + Math.ceil(((NONCE_BYTES + NAME_LENGTH_MAX + TAG_BYTES) * 4) / 3);

export const isSealed = (cursor: string): boolean =>
  cursor.length === LENGTH && cursor.startsWith(MARK) && /^[\w-]+$/.test(cursor.slice(MARK.length));
