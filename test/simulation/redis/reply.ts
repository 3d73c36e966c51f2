/** What a Redis says; errors are values, since a script may meet one and go on. */
export type Reply = number | string | null | Status | Failure | readonly Reply[];

/** `+OK` */
export class Status {
  constructor(readonly text: string) {}
}

/** `-ERR ...` */
export class Failure {
  constructor(readonly text: string) {}
}

export const OK = new Status("OK");
