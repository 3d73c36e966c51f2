import { parseArgs } from "node:util";
import { z } from "zod";

/**
 * The options of this process's command line, as `shape` has them: a `flag`, or something with a value. On `--help` it
 * ends the process with the usage, and on what cannot be understood with what is wrong, the usage and 2.
 */
export function commandLine<Shape extends z.ZodRawShape>(
  usage: string,
  shape: Shape,
): z.output<z.ZodObject<Shape>> {
  const options = Object.entries({ ...shape, help: flag }).map(
    ([name, option]) => [name, { type: option === flag ? "boolean" : "string" }] as const,
  );
  try {
    const { values } = parseArgs({ options: Object.fromEntries(options) });
    if (!values.help) return z.object(shape).parse(values);
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    console.error(`${reason}\n\n${usage}`);
    process.exit(2);
  }
  console.log(usage);
  process.exit(0);
}

/** An option without a value. */
export const flag = z.boolean().default(false);
/** A whole number from `min` on. */
export const whole = (min: number) => z.coerce.number().int().min(min);
export const positive = z.coerce.number().positive();
