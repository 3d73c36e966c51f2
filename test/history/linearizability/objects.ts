/** What objects do, for the checker: each is one register, one counter or the value of one key. */
import type { Sequential } from "./linearizable.js";

export type RegisterInput<V> =
  | { readonly kind: "read" }
  | { readonly kind: "write"; readonly value: V }
  | { readonly kind: "cas"; readonly from: V; readonly to: V };

export type RegisterOutput<V> =
  | { readonly kind: "value"; readonly value: V | null }
  | { readonly kind: "written" }
  /** Compare-and-set: the value was another. */
  | { readonly kind: "differs" };

/** A register with reads, writes and compare-and-set; null at first. */
export function register<V extends string | number>(): Sequential<
  V | null,
  RegisterInput<V>,
  RegisterOutput<V>
> {
  return {
    initial: null,
    step(state, input, output) {
      switch (input.kind) {
        case "read":
          return output?.kind === "value" && output.value === state ? state : undefined;
        case "write":
          return input.value;
        case "cas":
          if (output?.kind === "differs") return input.from === state ? undefined : state;
          return input.from === state ? input.to : undefined;
      }
    },
    key: (state) => JSON.stringify(state),
  };
}

export type CounterInput = { readonly kind: "add"; readonly by: number } | { readonly kind: "get" };

/** A counter that is 0 at first; both calls output its value, `add` the one afterwards. */
export const counter: Sequential<number, CounterInput, number> = {
  initial: 0,
  step(state, input, output) {
    const value = input.kind === "add" ? state + input.by : state;
    return output === undefined || output === value ? value : undefined;
  },
  key: String,
};

export type TextInput =
  | { readonly kind: "get" }
  | { readonly kind: "put"; readonly text: string }
  | { readonly kind: "append"; readonly text: string };

/** A text that is empty at first and can be replaced, and added to; only `get` has an output that says something. */
export const text: Sequential<string, TextInput, string | null> = {
  initial: "",
  step(state, input, output) {
    switch (input.kind) {
      case "get":
        return output === state ? state : undefined;
      case "put":
        return input.text;
      case "append":
        return state + input.text;
    }
  },
  key: (state) => state,
};
