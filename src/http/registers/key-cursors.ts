import { isSealed, notOfThisList, type SealedCursors } from "../access/sealed-cursors.js";
import { isKey, KEY_BYTES_MAX } from "./schemas.js";

/** Cursors of a list of keys, which may be any text, so that a key alone could look like a sealed cursor. */
export function keyCursors(
  sealed: SealedCursors,
  prefix: string,
): Pick<SealedCursors, "plain" | "seal" | "open"> {
  return {
    plain: (key) => MARK + Buffer.from(key).toString("base64url"),
    seal: (key, list) => sealed.seal(key, list, KEY_BYTES_MAX),
    open: (cursor, list) => {
      if (isSealed(cursor, KEY_BYTES_MAX)) return sealed.open(cursor, list, KEY_BYTES_MAX);
      if (!cursor.startsWith(MARK)) throw notOfThisList();
      const key = Buffer.from(cursor.slice(MARK.length), "base64url").toString();
      if (!isKey(key) || !key.startsWith(prefix)) throw notOfThisList();
      return key;
    },
  };
}

/** No sealed cursor begins with it. */
const MARK = "k";
