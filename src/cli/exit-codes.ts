/** How `quorate` ends. Sources: sysexits.h for 64 to 77, POSIX shells for 126 and above. */
export const EXIT = Object.freeze({
  ok: 0,
  /** What was asked for is not there, or a check found something wrong. */
  no: 1,
  wrongUse: 64,
  /** No instance answered, or the instances have no majority of their primaries. */
  unavailable: 69,
  /** A mistake of the service or of this program. */
  internal: 70,
  /** The name is held, the queue or a quota is full: try again later. */
  notAcquired: 75,
  /** The lease ended while the command ran. */
  lost: 76,
  /** The key is missing, unknown, or has no grant for this. */
  notAllowed: 77,
  /** The command was found, and could not be run. */
  cannotRun: 126,
  commandNotFound: 127,
  /** Plus the number of the signal that ended the command. */
  signalled: 128,
});
