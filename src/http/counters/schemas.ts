import { z } from "@hono/zod-openapi";
import { answer, name, request } from "../fields.js";
import { missing } from "../registers/schemas.js";

export const CounterParams = z.object({ name: name("Name of the counter.", "invoices") });

export const AddBody = request("AddRequest", "To add to a counter.", {
  by: z.int().min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER).openapi({
    format: "int64",
    description: "What to add; below 0: what to take away.",
    example: 1,
  }),
});

const value = z.int().openapi({ format: "int64", description: "Its value.", example: 1042 });

export const SumSchema = answer("Sum", "A counter after something was added.", { value, missing });

export const CounterSchema = answer("Counter", "A counter.", {
  name: z.string().openapi({ description: "Its name.", example: "invoices" }),
  value,
});
