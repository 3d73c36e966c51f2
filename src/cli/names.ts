import { wrongUse } from "./failure.js";

/** A name as a segment of a path. Throws wrong use where the service could not have it. */
export function segment(name: string): string {
  if (!NAME.test(name))
    throw wrongUse(
      `"${name}" is no name: 1 to 128 of A-Z a-z 0-9 . _ : - that begins with a letter or digit`,
    );
  return encodeURIComponent(name);
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
