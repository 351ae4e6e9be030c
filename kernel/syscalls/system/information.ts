/**
 * The system as a whole: sysinfo(2), getrandom(2), syslog(2), reboot(2), acct(2) and other calls
 * for administrators.
 */

import { SIGHUP, SIGILL, SIGINT } from "../../../ffi/abi/signal.ts";
import { SI_KERNEL } from "../../../ffi/abi/siginfo.ts";
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import {
  CAP_SYS_ADMIN,
  CAP_SYS_BOOT,
  CAP_SYS_PACCT,
  CAP_SYS_TTY_CONFIG,
  CAP_SYSLOG,
} from "../../../ffi/abi/capability.ts";
import { EFAULT, EINVAL, ENOSYS, EPERM } from "../../../ffi/abi/errno.ts";
import * as S from "../../../ffi/abi/system.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { BLOCK } from "../../core/result.ts";
import { hasCap, hasCapIn } from "../../cred/credentials.ts";
import { loadsOf } from "../../task/cpu_clock.ts";
import { killGroup } from "../../task/exit_request.ts";
import { SigInfo } from "../../signal/pending.ts";
import { forceSignal } from "../../signal/send.ts";
import type { Task } from "../../task/task.ts";

/** LIMIT: bytes of one getrandom(2), as on Linux (INT_MAX rounded to pages). */
const MAX_RANDOM = 0x7ffff000;
/** LIMIT: bytes generated in one turn of the loop. */
const TURN_BYTES = 128 << 10;
const NO_LOG = "";

/** Flags of swapon(2): a priority, and discards. */
const SWAP_FLAGS = 0x7ffff;

/** Load averages have this many fractional bits (SI_LOAD_SHIFT). */
const LOAD_ONE = 65536;

/** sysinfo(2). */
export function sysSysinfo(t: Task, a: SyscallArgs): number {
  const { scratch, host, memory, pids } = t.kernel, at = S.Sysinfo.at;
  const total = host.memoryBytes, used = memory.frames.usedBytes;
  scratch.clear(S.Sysinfo.size);
  // A started second counts.
  scratch.setU53(
    at.uptime,
    Math.ceil((t.kernel.now() - t.kernel.bootNs + t.ns.time.boottimeNs) / 1e9),
  );
  loadsOf(t.kernel).forEach((load, i) => {
    scratch.setU53(at.loads + 8 * i, Math.round(load * LOAD_ONE));
  });
  scratch.setU53(at.totalram, total);
  scratch.setU53(at.freeram, Math.max(0, total - used));
  scratch.dv.setUint16(at.procs, Math.min(pids.tasks.size, 0xffff), true);
  scratch.dv.setUint32(at.memUnit, 1, true);
  return t.mm.copyOut(a.u64(0), scratch.u8, 0, S.Sysinfo.size) === 0 ? 0 : -EFAULT;
}

/** getrandom(2): there is always enough randomness. */
export function sysGetrandom(t: Task, a: SyscallArgs): number {
  const flags = a.u32(2), { u8 } = t.kernel.scratch, { host } = t.kernel;
  if ((flags & ~(S.GRND_NONBLOCK | S.GRND_RANDOM | S.GRND_INSECURE)) !== 0) return -EINVAL;
  const both = S.GRND_RANDOM | S.GRND_INSECURE;
  if ((flags & both) === both) return -EINVAL;
  const len = Math.min(a.u64(1), MAX_RANDOM), p = t.progress;
  const r = t.io.set(a.u64(0), len);
  if (r < 0) return r;
  t.io.advance(p.done);
  const end = Math.min(len, p.done + TURN_BYTES);
  while (p.done < end) {
    const n = Math.min(end - p.done, PAGE_SIZE);
    host.random(u8.subarray(0, n));
    const put = t.io.putBytes(u8, 0, n);
    if (put > 0) p.done += put;
    if (put < n) return p.done > 0 ? p.done : -EFAULT;
  }
  if (p.done < len && t.yieldTurn() === BLOCK) return BLOCK;
  return p.done;
}

/** syslog(2): the log of the kernel is empty. */
export function sysSyslog(t: Task, a: SyscallArgs): number {
  const action = a.i32(0), len = a.i32(2);
  if (!hasCap(t.cred, CAP_SYSLOG) && !hasCap(t.cred, CAP_SYS_ADMIN)) {
    const isHarmless = action === S.SYSLOG_ACTION_READ_ALL ||
      action === S.SYSLOG_ACTION_SIZE_BUFFER;
    const isRestricted = t.kernel.sysctl.get("kernel/dmesg_restrict") !== "0";
    if (!isHarmless || isRestricted) return -EPERM;
  }
  if (action < 0 || action > S.SYSLOG_ACTION_SIZE_BUFFER) return -EINVAL;
  switch (action) {
    case S.SYSLOG_ACTION_READ:
    case S.SYSLOG_ACTION_READ_ALL:
    case S.SYSLOG_ACTION_READ_CLEAR:
      if (a.u64(1) === 0 || len < 0) return -EINVAL;
      return NO_LOG.length;
    case S.SYSLOG_ACTION_SIZE_BUFFER:
      return 1 << 17;
    case S.SYSLOG_ACTION_CONSOLE_LEVEL:
      return len < 1 || len > 8 ? -EINVAL : 0;
    default:
      return 0;
  }
}

const MAGIC2: readonly number[] = [
  S.LINUX_REBOOT_MAGIC2,
  S.LINUX_REBOOT_MAGIC2A,
  S.LINUX_REBOOT_MAGIC2B,
  S.LINUX_REBOOT_MAGIC2C,
];

/**
 * reboot(2) as in a PID namespace: its init ends by SIGHUP for a restart and by SIGINT for a halt.
 * DIFFERS: the first namespace behaves in the same way, as a sandbox ends with its first process;
 * and Ctrl-Alt-Del may be switched there.
 */
export function sysReboot(t: Task, a: SyscallArgs): number {
  const { owner, init, outer } = t.pids;
  if (owner === null || !hasCapIn(t.cred, owner, CAP_SYS_BOOT)) return -EPERM;
  if (a.u32(0) !== S.LINUX_REBOOT_MAGIC1 || !MAGIC2.includes(a.u32(1))) return -EINVAL;
  switch (a.u32(2)) {
    case S.LINUX_REBOOT_CMD_RESTART:
    case S.LINUX_REBOOT_CMD_RESTART2:
      if (init !== null) killGroup(init, SIGHUP);
      return 0;
    case S.LINUX_REBOOT_CMD_HALT:
    case S.LINUX_REBOOT_CMD_POWER_OFF:
      if (init !== null) killGroup(init, SIGINT);
      return 0;
    case S.LINUX_REBOOT_CMD_CAD_ON:
    case S.LINUX_REBOOT_CMD_CAD_OFF:
      return outer === null ? 0 : -EINVAL;
    default:
      return -EINVAL;
  }
}

/** acct(2): as a kernel without it, after the check of privileges. */
export function sysAcct(t: Task): number {
  return hasCap(t.cred, CAP_SYS_PACCT) ? -ENOSYS : -EPERM;
}

/** swapon(2): checks unknown flags, then privileges over the whole machine, which no guest has. */
export function sysSwapon(_t: Task, a: SyscallArgs): number {
  return (a.u32(1) & ~SWAP_FLAGS) !== 0 ? -EINVAL : -EPERM;
}

export function sysSwapoff(_t: Task): number {
  return -EPERM;
}

/** uretprobe(2): a caller outside of a probe's trampoline gets SIGILL; there are no probes. */
export function sysUretprobe(t: Task): number {
  forceSignal(t, new SigInfo(SIGILL, SI_KERNEL));
  return -1;
}

/** vhangup(2): hangs up the controlling terminal, if there is one. */
export function sysVhangup(t: Task): number {
  if (!hasCap(t.cred, CAP_SYS_TTY_CONFIG)) return -EPERM;
  t.group.session.terminal?.hangUp();
  return 0;
}
