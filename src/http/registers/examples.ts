import type { Answer } from "../typed-examples.js";
import type * as schemas from "./schemas.js";

/** In the ETag of a register, without the quotes. */
export const registerEtag = "1d06f14b8a20:5f2ac1a58b7e4b1d9c3e6f70";

const value = { leader: "eu-1", since: "2026-11-02" };

export const puts = {
  put: { summary: "Set it, whatever it was", value: { value } },
  ending: { summary: "It ends after a minute", value: { value, ttlMs: 60_000 } },
};

const changed: Answer<typeof schemas.ChangedRegisterSchema> = { key: "config/region", version: 7 };
export const created = { created: { value: { ...changed, version: 1 } } };
export const replaced = { replaced: { value: changed } };

const register: Answer<typeof schemas.RegisterSchema> = { ...changed, value, expiresInMs: null };
export const registers = {
  lasting: { value: register },
  ending: { summary: "It ends", value: { ...register, expiresInMs: 41_300 } },
};

const pageOne: Answer<typeof schemas.RegistersSchema> = {
  registers: [{ ...register, etag: `"${registerEtag}"` }],
  cursor: null,
};
export const registerLists = { last: { summary: "The last page", value: pageOne } };

const entry = JSON.stringify(pageOne.registers[0]);
export const events = {
  snapshot: {
    summary: "The snapshot, and two changes",
    value: [
      `event: register\ndata: ${entry}\n\n`,
      'event: synced\ndata: {"registers":1}\n\n',
      `event: changed\ndata: ${entry}\n\n`,
      'event: deleted\ndata: {"key":"config/region"}\n\n',
    ].join(""),
  },
};

export const deletions = {
  deleted: { summary: "It was there", value: { deleted: true } },
  absent: { summary: "There was none", value: { deleted: false } },
};
