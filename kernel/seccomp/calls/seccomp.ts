/**
 * seccomp(2), and the older operations of prctl(2). The ioctls of a listener: seccomp_listener.ts.
 */

import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import { EACCES, EFAULT, EINVAL, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import {
  BPF_MAXINSNS,
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
  SECCOMP_GET_ACTION_AVAIL,
  SECCOMP_GET_NOTIF_SIZES,
  SECCOMP_MODE_FILTER,
  SECCOMP_MODE_STRICT,
  SECCOMP_SET_MODE_FILTER,
  SECCOMP_SET_MODE_STRICT,
  SeccompData,
  SeccompNotif,
  SeccompNotifResp,
  SeccompNotifSizes,
  SockFilter,
  SockFprog,
} from "../../../ffi/abi/seccomp.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasOwnCap } from "../../cred/credentials.ts";
import { isAction } from "../actions.ts";
import { BpfFilter } from "../bpf_filter.ts";
import { BpfProgram } from "../../bpf/classic_program.ts";
import { SeccompListener } from "../listener_file.ts";
import { Notifier } from "../notifier.ts";
import { attachFilter, setStrict } from "../task_seccomp.ts";
import type { Task } from "../../task/task.ts";

const KNOWN_FLAGS = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG |
  SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_NEW_LISTENER |
  SECCOMP_FILTER_FLAG_TSYNC_ESRCH | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

/**
 * seccomp(2). SECCOMP_FILTER_FLAG_SPEC_ALLOW has no effect, because the sandbox restricts no
 * speculation.
 */
export function sysSeccomp(t: Task, a: SyscallArgs): number {
  const operation = a.u32(0), flags = a.u32(1), addr = a.u64(2);
  switch (operation) {
    case SECCOMP_SET_MODE_STRICT:
      return flags !== 0 || addr !== 0 ? -EINVAL : setStrict(t);
    case SECCOMP_SET_MODE_FILTER:
      return setFilter(t, flags, addr);
    case SECCOMP_GET_ACTION_AVAIL:
      return flags !== 0 ? -EINVAL : hasAction(t, addr);
    case SECCOMP_GET_NOTIF_SIZES:
      return flags !== 0 ? -EINVAL : storeSizes(t, addr);
    default:
      return -EINVAL;
  }
}

/** prctl(PR_SET_SECCOMP). */
export function setSeccomp(t: Task, mode: number, addr: number): number {
  if (mode === SECCOMP_MODE_STRICT) return setStrict(t);
  return mode === SECCOMP_MODE_FILTER ? setFilter(t, 0, addr) : -EINVAL;
}

function setFilter(t: Task, flags: number, addr: number): number {
  if ((flags & ~KNOWN_FLAGS) !== 0) return -EINVAL;
  const hasListener = (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) !== 0;
  const syncs = (flags & SECCOMP_FILTER_FLAG_TSYNC) !== 0;
  // The result could be a descriptor or the id of a thread.
  const isAmbiguous = syncs && hasListener && (flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH) === 0;
  const isIdle = (flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) !== 0 && !hasListener;
  if (isAmbiguous || isIdle) return -EINVAL;
  const program = readProgram(t, addr);
  if (typeof program === "number") return program;
  const filter = new BpfFilter(t.account, program);
  return hasListener ? attachWithListener(t, filter, flags) : attachFilter(t, filter, flags);
}

/** Reads struct sock_fprog and the program behind it, with Linux's order of checks. */
function readProgram(t: Task, addr: number): BpfProgram | number {
  const { u8, dv } = t.kernel.scratch;
  if (t.mm.copyIn(u8, 0, addr, SockFprog.size) !== 0) return -EFAULT;
  const length = dv.getUint16(SockFprog.at.len, true);
  const lo = dv.getUint32(SockFprog.at.filter, true);
  const from = lo + dv.getUint32(SockFprog.at.filter + 4, true) * 0x100000000;
  if (length === 0 || length > BPF_MAXINSNS) return -EINVAL;
  if (!t.cred.noNewPrivs && !hasOwnCap(t.cred, CAP_SYS_ADMIN)) return -EACCES;
  if (from === 0) return -EINVAL;
  const source = new Uint8Array(length * SockFilter.size);
  if (t.mm.copyIn(source, 0, from, source.length) !== 0) return -EFAULT;
  return BpfProgram.parse(source) ?? -EINVAL;
}

function attachWithListener(t: Task, filter: BpfFilter, flags: number): number {
  const notifier = filter.notifier = new Notifier(filter, firstId(t));
  const file = new SeccompListener(t.account, t.kernel.anon, filter, notifier);
  const fd = t.files.install(file, true, t.group.limits.get(RLIMIT_NOFILE));
  if (fd < 0) {
    file.drop();
    return fd;
  }
  const r = attachFilter(t, filter, flags);
  if (r === 0) return fd;
  t.files.close(fd);
  return r;
}

/** A start for the ids of notifications, so that ids of two listeners differ. */
function firstId(t: Task): number {
  const bytes = new Uint8Array(8);
  t.kernel.host.random(bytes);
  bytes.fill(0, 6);
  const dv = new DataView(bytes.buffer);
  return dv.getUint32(0, true) + dv.getUint32(4, true) * 0x100000000;
}

function hasAction(t: Task, addr: number): number {
  const action = t.mm.load32(addr);
  if (action < 0) return -EFAULT;
  return isAction(action >>> 0) ? 0 : -EOPNOTSUPP;
}

function storeSizes(t: Task, addr: number): number {
  const { u8, dv } = t.kernel.scratch, { at, size } = SeccompNotifSizes;
  dv.setUint16(at.seccompNotif, SeccompNotif.size, true);
  dv.setUint16(at.seccompNotifResp, SeccompNotifResp.size, true);
  dv.setUint16(at.seccompData, SeccompData.size, true);
  return t.mm.copyOut(addr, u8, 0, size);
}
