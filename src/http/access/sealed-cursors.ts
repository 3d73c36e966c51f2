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

  /** `list`: what it may be opened for, such as one namespace and one prefix. `bytesMax`: of the names of that list. */
  seal(name: string, list: string, bytesMax = NAME_BYTES_MAX): string {
    const nonce = Buffer.from(this.ids.nonce(), "base64url").subarray(0, NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#keyNow(), nonce).setAAD(Buffer.from(list));
    // Of one length, which would tell something of the name.
    const padded = Buffer.alloc(bytesMax, PADDING);
    padded.write(name);
    const sealed = [cipher.update(padded), cipher.final(), cipher.getAuthTag()];
    return MARK + Buffer.concat([nonce, ...sealed]).toString("base64url");
  }

  /** The cursor of a name that the caller may read: that name. */
  plain(name: string): string {
    return name;
  }

  /** The name in a cursor; one that is not sealed is the name itself. Throws `invalid_request`. */
  open(cursor: string, list: string, bytesMax = NAME_BYTES_MAX): string {
    if (!isSealed(cursor, bytesMax)) return cursor;
    const bytes = Buffer.from(cursor.slice(MARK.length), "base64url");
    const decipher = createDecipheriv(ALGORITHM, this.#keyNow(), bytes.subarray(0, NONCE_BYTES));
    decipher.setAAD(Buffer.from(list)).setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const opened = [decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()];
      return Buffer.concat(opened).toString().replace(/\0+$/, "");
    } catch {
      throw notOfThisList();
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
const NAME_BYTES_MAX = 128;
/** No name has it. */
const PADDING = "\0";
/** No name begins with it. */
const MARK = ".";

export function isSealed(cursor: string, bytesMax = NAME_BYTES_MAX): boolean {
  const length = MARK.length + Math.ceil(((NONCE_BYTES + bytesMax + TAG_BYTES) * 4) / 3);
  return cursor.length === length && cursor.startsWith(MARK) && /^[\w-]+$/.test(cursor.slice(MARK.length));
}

export function notOfThisList() {
  return invalidFields([{ field: "cursor", detail: "is not one of this list: begin again without it" }]);
}
