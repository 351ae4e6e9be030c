/**
 * Restricts the requests and registrations of an enabled ring (IORING_REGISTER_RESTRICTIONS), for
 * rings that are passed to other processes.
 */

import { EACCES, EBADFD, EBUSY, EFAULT, EINVAL } from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import type { Task } from "../task/task.ts";
import type { Uring } from "./ring.ts";
import type { Sqe } from "./sqe.ts";

/** LIMIT: restrictions of a ring. */
const MAX_RESTRICTIONS = 96;

export class Restrictions {
  readonly registerOps: Set<number> = new Set();
  readonly operations: Set<number> = new Set();
  allowedFlags: number = 0;
  requiredFlags: number = 0;

  /** Checks a request: 0 or -EACCES. */
  checkRequest({ opcode, flags }: Sqe): number {
    if (!this.operations.has(opcode)) return -EACCES;
    if ((flags & this.requiredFlags) !== this.requiredFlags) return -EACCES;
    return (flags & ~(this.allowedFlags | this.requiredFlags)) !== 0 ? -EACCES : 0;
  }
}

export function registerRestrictions(t: Task, ring: Uring, arg: number, count: number): number {
  const { u8, dv } = t.kernel.scratch, { at, size } = U.IoUringRestriction;
  if (!ring.isDisabled) return -EBADFD;
  if (ring.restrictions !== null) return -EBUSY;
  if (arg === 0 || count > MAX_RESTRICTIONS) return -EINVAL;
  if (t.mm.copyIn(u8, 0, arg, count * size) !== 0) return -EFAULT;
  const made = new Restrictions();
  for (let i = 0; i < count; i++) {
    const value = dv.getUint8(i * size + at.registerOp);
    switch (dv.getUint16(i * size + at.opcode, true)) {
      case U.IORING_RESTRICTION_REGISTER_OP:
        made.registerOps.add(value);
        break;
      case U.IORING_RESTRICTION_SQE_OP:
        made.operations.add(value);
        break;
      case U.IORING_RESTRICTION_SQE_FLAGS_ALLOWED:
        made.allowedFlags = value;
        break;
      case U.IORING_RESTRICTION_SQE_FLAGS_REQUIRED:
        made.requiredFlags = value;
        break;
      default:
        return -EINVAL;
    }
  }
  ring.restrictions = made;
  return 0;
}
