/**
 * Compares texts by their UTF-8 bytes, as Redis does: below 0, 0 or above 0. JavaScript's own order is that of UTF-16, in
 * which the halves of what lies beyond 16 bits come before some of what does not.
 */
export function compareInUtf8(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at++) {
    const [a, b] = [one.charCodeAt(at), other.charCodeAt(at)];
    if (a === b) continue;
    if (isHalf(a) !== isHalf(b)) return isHalf(a) ? 1 : -1;
    return a - b;
  }
  return one.length - other.length;
}

/** Whether it is half of a character beyond 16 bits. */
const isHalf = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;
