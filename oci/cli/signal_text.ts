/**
 * Names and numbers of signals as people write them. Neighbour: oci/protocol/session/signals.ts.
 */

import { signalNumber } from "../protocol/session/signals.ts";
import { usageError } from "../user_error.ts";

/** A number, or a name with or without SIG; 0 sends nothing. @throws UserError */
export function parseSignal(text: string): number {
  if (/^0{1,2}$/.test(text)) return 0;
  const name = text.toUpperCase().replace(/^(SIG)?/, "SIG");
  const number = signalNumber(/^\d{1,2}$/.test(text) ? Number(text) : name);
  if (number === null) throw usageError(`"${text}" is no signal`);
  return number;
}
