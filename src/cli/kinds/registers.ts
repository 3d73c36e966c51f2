import { failure } from "../../client/errors.js";
import { type Register, Registers } from "../../client/registers.js";
import { inWords } from "../duration.js";
import { wrongUse } from "../failure.js";
import type { Cell } from "../output.js";
import type { Register as Stored } from "../types.js";
import { json } from "./cells.js";
import type { Kind } from "./kind.js";

export const registers: Kind<Register> = {
  read: async (transport, key) => {
    const register = await new Registers(transport).get(keyOf(key));
    if (!register) throw failure("not_found", `There is no register with the key ${key}.`, {});
    return register;
  },
  head: ["key", "version", "ends in", "value"],
  rows: (register) => [registerRow(register)],
};

export function registerRow({ key, version, expiresInMs, value }: Stored): Cell[] {
  return [key, version, expiresInMs === null ? "never" : inWords(expiresInMs), json(value) ?? "null"];
}

/** Throws wrong use where the service could not have it. */
export function keyOf(text: string): string {
  if (text === "" || Buffer.byteLength(text) > KEY_BYTES_MAX || /[\p{Cc}\p{Cs}]/u.test(text))
    throw wrongUse(`a key has 1 to ${KEY_BYTES_MAX} bytes of UTF-8 without control characters`);
  if (text === "." || text === "..") throw wrongUse("a key must not be . or ..");
  return text;
}

const KEY_BYTES_MAX = 512;
