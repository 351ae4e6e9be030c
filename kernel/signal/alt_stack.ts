/** Alternate signal stacks: sigaltstack(2). */

import { EINVAL, ENOMEM, EPERM } from "../../ffi/abi/errno.ts";
import {
  MINSIGSTKSZ,
  SS_AUTODISARM,
  SS_DISABLE,
  SS_FLAG_BITS,
  SS_ONSTACK,
} from "../../ffi/abi/signal.ts";
import type { TaskSignals } from "./task_signals.ts";

/** True if the stack pointer is within the alternate stack. */
export function isWithin(signals: TaskSignals, sp: number): boolean {
  return sp > signals.altBase && sp - signals.altBase <= signals.altSize;
}

/** True if the thread runs on the alternate stack. A stack with SS_AUTODISARM is never in use. */
export function isOnAltStack(signals: TaskSignals, sp: number): boolean {
  return (signals.altFlags & SS_AUTODISARM) === 0 && isWithin(signals, sp);
}

/** The flags that sigaltstack(2) shows: SS_DISABLE, SS_ONSTACK or 0, with the flag bits. */
export function stackFlags(signals: TaskSignals, sp: number): number {
  const state = signals.altSize === 0 ? SS_DISABLE : isOnAltStack(signals, sp) ? SS_ONSTACK : 0;
  return (state | (signals.altFlags & SS_FLAG_BITS)) >>> 0;
}

/** Removes the alternate stack of a thread. */
export function disableAltStack(signals: TaskSignals): void {
  signals.altBase = 0;
  signals.altSize = 0;
  signals.altFlags = SS_DISABLE;
}

/**
 * Sets the alternate stack of a thread whose stack pointer is `sp`: 0, -EPERM, -EINVAL or -ENOMEM.
 */
export function setAltStack(
  signals: TaskSignals,
  sp: number,
  base: number,
  flags: number,
  size: number,
): number {
  if (isOnAltStack(signals, sp)) return -EPERM;
  if (signals.altBase === base && signals.altSize === size && signals.altFlags === flags) return 0;
  const mode = (flags & ~SS_FLAG_BITS) >>> 0;
  if (mode !== SS_DISABLE && mode !== SS_ONSTACK && mode !== 0) return -EINVAL;
  if (mode === SS_DISABLE) {
    signals.altBase = 0;
    signals.altSize = 0;
  } else {
    if (size < MINSIGSTKSZ) return -ENOMEM;
    signals.altBase = base;
    signals.altSize = size;
  }
  signals.altFlags = flags;
  return 0;
}
