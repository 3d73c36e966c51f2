import type { z } from "@hono/zod-openapi";
import type { Answer } from "../typed-examples.js";
import type * as schemas from "./schemas.js";

type Body = z.input<typeof schemas.HookBody>;

const url = "https://pager.internal/quorate";
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const ofDeaths: Body = { url, events: ["left", "expired"] };
export const puts = {
  some: { summary: "Of members that are gone", value: ofDeaths },
  everything: { summary: "Of everything, with a secret of one's own", value: { url, secret } },
};

const put: Answer<typeof schemas.PutHookSchema> = { id: "pager", url, events: ["left", "expired"], secret };
export const created = { created: { value: put } };
export const changed = { changed: { value: { ...put, secret: null } } };

const hook: Answer<typeof schemas.HookSchema> = {
  id: "pager",
  url,
  events: ["left", "expired"],
  deliveredAtMs: 1795225982978,
  failures: 0,
  failure: null,
  nextTryInMs: null,
};
const failing = { ...hook, failures: 3, failure: "status 503", nextTryInMs: 2_700 };
export const hooks = {
  well: { summary: "All was delivered", value: hook },
  failing: { summary: "Its receiver answers with errors", value: failing },
};
export const lists = { hooks: { value: { hooks: [hook] } } };

export const deletions = {
  deleted: { summary: "It was there", value: { deleted: true } },
  absent: { summary: "There was none", value: { deleted: false } },
};
