import type { CallOptions, Transport } from "./transport.js";
import type { Picked, PickRequest } from "./types.js";

export interface PickOptions extends PickRequest, CallOptions {}

/** Members of a service to send work to. Throws `no_members` where nobody can be picked. */
export async function pick(
  transport: Transport,
  service: string,
  { timeoutMs, signal, ...request }: PickOptions,
): Promise<Picked> {
  const { body } = await transport.send<Picked>({
    method: "POST",
    path: `/services/${encodeURIComponent(service)}/pick`,
    body: () => request,
    answerHas: "alternatives",
    ...transport.limits({ timeoutMs, signal }),
  });
  return body;
}
