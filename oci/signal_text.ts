/** Names and numbers of signals as people write them (signal(7)). */

import * as S from "../ffi/abi/signal.ts";
import { usageError } from "./user_error.ts";

/** A number, or a name with or without SIG; 0 sends nothing. @throws UserError */
export function parseSignal(text: string): number {
  if (/^\d{1,2}$/.test(text)) {
    const signo = Number(text);
    if (signo <= S.NSIG) return signo;
  } else {
    const name = text.toUpperCase().replace(/^(SIG)?/, "SIG");
    const match = /^SIGRT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
    if (match !== null) {
      const base = match[1] === "MIN" ? RTMIN : S.NSIG, delta = Number(match[3] ?? 0);
      const signo = match[2] === "-" ? base - delta : base + delta;
      if (signo >= RTMIN && signo <= S.NSIG) return signo;
    }
    const signo = new Map<string, unknown>(Object.entries(S)).get(name);
    if (typeof signo === "number" && !/^SIG_|_/.test(name)) return signo;
  }
  throw usageError(`"${text}" is no signal`);
}

/** SIGRTMIN of libc, which uses the two below itself. */
const RTMIN = 34;
