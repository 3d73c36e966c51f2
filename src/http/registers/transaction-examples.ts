import type { Answer } from "../typed-examples.js";
import { registerEtag } from "./examples.js";
import type { TransactionAnswerSchema } from "./transaction-schemas.js";

const etag = `"${registerEtag}"`;
const next = '"1d06f14b9b31:0c51b7e2f9a8463d8e17a2b4"';

export const requests = {
  transfer: {
    summary: "Money moves from one to the other, if both are as they were read",
    value: {
      checks: [
        { key: "accounts/7", etag },
        { key: "accounts/8", etag: null },
      ],
      changes: [
        { key: "accounts/7", value: { balance: 70 } },
        { key: "accounts/8", value: { balance: 30 } },
      ],
    },
  },
  reads: { summary: "Registers as they are at one moment", value: { reads: ["accounts/7", "accounts/8"] } },
  moves: {
    summary: "A key takes the place of another",
    value: {
      reads: ["config/old"],
      changes: [
        { key: "config/old", delete: true as const },
        { key: "config/new", value: { leader: "eu-1" }, ttlMs: 60_000 },
      ],
    },
  },
};

type Transaction = Answer<typeof TransactionAnswerSchema>;

const transfer: Transaction = {
  changes: [
    { key: "accounts/7", version: 8, etag: next },
    { key: "accounts/8", version: 1, etag: '"1d06f14b9b32:5b2e90d1c7f34a6688a01e3d"' },
  ],
  reads: [],
  repeated: false,
};
const reads: Transaction = {
  changes: [],
  reads: [
    { key: "accounts/7", value: { balance: 100 }, version: 7, etag, expiresInMs: null },
    { key: "accounts/8", value: null, version: null, etag: null, expiresInMs: null },
  ],
  repeated: false,
};

export const answers = {
  transfer: { value: transfer },
  reads: { value: reads },
  repeated: { summary: "The same request again", value: { ...transfer, repeated: true } },
};
