/**
 * Signals to a command in the foreground that are its guest's. The waiters pass them on
 * (foreground_sandbox.ts, oci/container/proxy_wait.ts).
 */

import * as S from "../../ffi/abi/signal.ts";
import { isIgnored } from "./interrupts.ts";

/** Those that programs are told things by. */
const FORWARDED = [
  S.SIGHUP,
  S.SIGINT,
  S.SIGQUIT,
  S.SIGTERM,
  S.SIGUSR1,
  S.SIGUSR2,
  S.SIGALRM,
  S.SIGCONT,
];

/**
 * What is passed on of those, unless the caller has them ignored; with a terminal, its changes of
 * size too.
 */
export function forwardedSignals(hasTerminal: boolean): number[] {
  const told = FORWARDED.filter((signo) => !isIgnored(signo));
  return hasTerminal ? [...told, S.SIGWINCH] : told;
}
