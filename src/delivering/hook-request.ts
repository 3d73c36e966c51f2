import type { Clock } from "../clock.js";
import { Namespace } from "../namespace.js";
import type { AllowList } from "../outbound/allow-list.js";
import { readUrl, WEB } from "../outbound/destination.js";
import type { Post, Posted } from "../outbound/post.js";
import type { Hook } from "../primitives/hooks/hook.js";
import { signedHeaders } from "./signature.js";

export interface RequestDependencies {
  readonly allow: Pick<AllowList, "hasHost">;
  readonly post: Post;
  readonly clock: Pick<Clock, "wallMicros">;
}

/** What a hook is told. */
export interface Message {
  readonly type: string;
  /** `id`: the same in each attempt. */
  readonly data: { readonly id: string; readonly [field: string]: unknown };
}

/** How an attempt to tell a hook ended. `refused`: by a status outside 200 to 299. */
export type HookOutcome = "delivered" | "refused" | Exclude<Posted["kind"], "answered">;

/** Tells a hook one thing, once. `service`: its inner name. Never rejects; `detail`: in words, without the URL. */
export async function tellHook(
  service: string,
  { id: hook, url, secret }: Hook,
  { type, data }: Message,
  { allow, post, clock }: RequestDependencies,
  signal: AbortSignal,
): Promise<{ readonly outcome: HookOutcome; readonly detail: string }> {
  const to = readUrl(url, WEB);
  // What was allowed at another instance, or under earlier settings, need not be allowed here.
  if (!to || !allow.hasHost(to.host)) return { outcome: "forbidden", detail: "its host is not allowed" };
  const body = JSON.stringify({ type, namespace: Namespace.of(service).name, hook, data });
  const headers = signedHeaders(data.id, body, secret, clock.wallMicros() / 1_000);
  const posted = await post(
    to,
    { headers, body, timeoutMs: HOOK_TIMEOUT_MS, answerBytesMax: ANSWER_BYTES_MAX },
    signal,
  );
  if (posted.kind !== "answered") return { outcome: posted.kind, detail: posted.detail };
  const { status } = posted;
  return { outcome: isSuccess(status) ? "delivered" : "refused", detail: `status ${status}` };
}

const isSuccess = (status: number) => status >= 200 && status <= 299;

/** For resolving, connecting, and the whole answer. */
export const HOOK_TIMEOUT_MS = 10_000;
/** Nothing of it is used: so much is read that most receivers see no connection that breaks. */
const ANSWER_BYTES_MAX = 16_384;
