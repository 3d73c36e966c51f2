import type { Namespace } from "../namespace.js";
import type { Progress } from "./hooks/hook.js";
import type { Hooks } from "./hooks/hooks.js";

/** The hooks of the services of a namespace. */
export interface HooksOfServices extends Pick<Hooks, "list" | "put" | "delete"> {
  /** How far a hook was told; null: it never was. Throws as `Registers.get` does. */
  progress(service: string, id: string): Promise<Progress | null>;
}

export function hooksIn(namespace: Namespace, hooks: Hooks): HooksOfServices {
  const inner = (service: string) => namespace.inner(service);
  return {
    list: (service) => hooks.list(inner(service)),
    put: (service, ...hook) => hooks.put(inner(service), ...hook),
    delete: (service, id) => hooks.delete(inner(service), id),
    progress: (service, id) => hooks.progress.read({ service: inner(service), id }),
  };
}
