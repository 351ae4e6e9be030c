/** The error that every assertion throws. Neighbours: all other files of this folder. */

/** Thrown by a failed assertion. */
export class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

/** The part of a message that the caller's own text adds. */
export function suffix(msg: string | undefined): string {
  return msg ? `: ${msg}` : ".";
}
