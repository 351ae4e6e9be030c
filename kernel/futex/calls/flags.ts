/**
 * The supported flags and operations of futex(2) and futex_waitv(2), with the guest test of each.
 * See syscalls/flags/flag_set.ts.
 */

import { by, each, type FlagSet, flagSet, refused } from "../../syscalls/flags/flag_set.ts";

export const FUTEX_FLAGS: readonly FlagSet[] = [
  flagSet("futex", "operation", [
    each(
      "flags_ipc.futex_operations",
      `FUTEX_WAIT FUTEX_WAKE FUTEX_REQUEUE FUTEX_CMP_REQUEUE FUTEX_WAKE_OP FUTEX_LOCK_PI
FUTEX_UNLOCK_PI FUTEX_TRYLOCK_PI FUTEX_WAIT_BITSET FUTEX_WAKE_BITSET FUTEX_LOCK_PI2
FUTEX_PRIVATE_FLAG FUTEX_CLOCK_REALTIME`,
    ),
    by(
      "futexes_pi.requeue_moves_to_a_lock_that_is_held",
      "FUTEX_WAIT_REQUEUE_PI FUTEX_CMP_REQUEUE_PI",
    ),
    refused("ENOSYS", "flags_ipc.futex_operations", "FUTEX_FD"),
  ]),
  flagSet("futex_waitv", "flags", [
    refused("EAGAIN", "flags_ipc.futex_vectors", "FUTEX2_SIZE_U32 FUTEX2_PRIVATE"),
  ]),
];
