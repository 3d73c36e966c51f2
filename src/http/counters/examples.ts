import type { Answer } from "../typed-examples.js";
import type * as schemas from "./schemas.js";

export const additions = { add: { value: { by: 1 } } };

const counter: Answer<typeof schemas.CounterSchema> = { name: "invoices", value: 1042 };
export const counters = { counter: { value: counter } };
export const sums = { added: { value: { value: 1042 } } };
