/** What tasks share: unshare(2), setns(2), kcmp(2). */

import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import { EBADF, EINVAL, ENOMEM, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_NEWTIME,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VM,
} from "../../../ffi/abi/sched.ts";
import {
  KCMP_FILE,
  KCMP_FILES,
  KCMP_FS,
  KCMP_IO,
  KCMP_SIGHAND,
  KCMP_SYSVSEM,
  KCMP_VM,
} from "../../../ffi/abi/system.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasCap } from "../../cred/credentials.ts";
import { NAMESPACE_FLAGS } from "../../task/clone.ts";
import { dropSemUndo } from "../../task/exit.ts";
import type { Task } from "../../task/task.ts";
import { mayAttach } from "./pidfd.ts";

/**
 * unshare(2).
 *
 * DIFFERS: new namespaces cannot be had: EPERM without privilege, else EINVAL as on a kernel without them.
 */
export function sysUnshare(t: Task, a: SyscallArgs): number {
  const flags = a.u32(0);
  const known = CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM |
    CLONE_NEWTIME | NAMESPACE_FLAGS;
  if ((flags & ~known) !== 0) return -EINVAL;
  if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) !== 0) {
    const isAlone = t.group.tasks.length === 1 && t.sighand.refs === 1 && t.mm.users === 1;
    if (!isAlone) return -EINVAL;
  }
  if ((flags & (NAMESPACE_FLAGS | CLONE_NEWTIME)) !== 0) {
    return hasCap(t.cred, CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
  }
  if ((flags & CLONE_SYSVSEM) !== 0) dropSemUndo(t);
  if ((flags & CLONE_FS) !== 0 && t.fs.refs > 1) {
    const fs = t.fs.copy();
    t.fs.drop();
    t.fs = fs;
  }
  if ((flags & CLONE_FILES) !== 0 && t.files.refs > 1) {
    if (!t.files.mayCopy) return -ENOMEM;
    const files = t.files.copy();
    t.files.drop();
    t.files = files;
  }
  return 0;
}

/** setns(2): there are no other namespaces yet. */
export function sysSetns(t: Task, a: SyscallArgs): number {
  return t.files.getAny(a.i32(0)) === null ? -EBADF : -EINVAL;
}

/** kcmp(2): objects are ordered by when they were first compared. */
export function sysKcmp(t: Task, a: SyscallArgs): number {
  const { pids } = t.kernel;
  const one = pids.tasks.get(a.i32(0)), two = pids.tasks.get(a.i32(1));
  if (one === undefined || two === undefined) return -ESRCH;
  if (!mayAttach(t, one) || !mayAttach(t, two)) return -EPERM;
  switch (a.i32(2)) {
    case KCMP_FILE: {
      const x = one.files.getAny(a.i32(3)), y = two.files.getAny(a.i32(4));
      return x === null || y === null ? -EBADF : order(x, y);
    }
    case KCMP_VM:
      return order(one.mm, two.mm);
    case KCMP_FILES:
      return order(one.files, two.files);
    case KCMP_FS:
      return order(one.fs, two.fs);
    case KCMP_SIGHAND:
      return order(one.sighand, two.sighand);
    case KCMP_SYSVSEM:
      return order(one.semUndo ?? NOTHING, two.semUndo ?? NOTHING);
    case KCMP_IO:
      return order(NOTHING, NOTHING); // nobody has an I/O context
    default:
      return -EINVAL;
  }
}

/** What tasks have in common that have no such thing. */
const NOTHING = {};
const ranks: WeakMap<object, number> = new WeakMap();
let lastRank = 0;

function rank(o: object): number {
  let r = ranks.get(o);
  if (r === undefined) {
    r = ++lastRank;
    ranks.set(o, r);
  }
  return r;
}

/** 0: the same; 1: less; 2: greater. */
function order(x: object, y: object): number {
  if (x === y) return 0;
  return rank(x) < rank(y) ? 1 : 2;
}
