/**
 * A script as an instance of an earlier version has it: it notes nothing beside the slots of a semaphore, and forgets
 * nothing of it.
 */
export function withoutNotes(text: string): string {
  return text
    .replace(/^local function note_slots\(.*$/m, "$& do return end")
    .replace("local holds, slot = slot_of(key, name)", "local holds, slot");
}
