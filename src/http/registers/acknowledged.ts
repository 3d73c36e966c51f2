/** What an answer tells of the primaries that a change has not reached; nothing unless that was asked for. */
export interface Acknowledged {
  missing?: string[];
}

/** Waits for all primaries if the request says so. `lacking`: those that do not have the change, once all have answered or failed. */
export async function acknowledged(
  { acks }: { readonly acks?: "majority" | "all" | undefined },
  lacking: () => Promise<readonly string[]>,
): Promise<Acknowledged> {
  return acks === "all" ? { missing: [...(await lacking())] } : {};
}
