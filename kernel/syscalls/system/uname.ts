/** The identity of the system: uname(2), sethostname(2), setdomainname(2), personality(2). */

import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import { EFAULT, EINVAL, EPERM } from "../../../ffi/abi/errno.ts";
import { PER_LINUX32, PER_MASK, UNAME26, UTS_LEN, Utsname } from "../../../ffi/abi/system.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { bytesToString } from "../../core/bytes.ts";
import { hasCapIn } from "../../cred/credentials.ts";
import { UTS_MACHINE, UTS_RELEASE, UTS_SYSNAME, UTS_VERSION } from "../../task/uts.ts";
import type { Task } from "../../task/task.ts";

/** The release for programs that require version 2.6: 6.12 is 2.6.72. */
const RELEASE_26 = UTS_RELEASE.replace(
  /^\d+\.(\d+)[\d.]*/,
  (_, minor: string) => `2.6.${60 + Number(minor)}`,
);
/** personality(2): only queries. */
const GET_PERSONALITY = 0xffffffff;

export function sysUname(t: Task, a: SyscallArgs): number {
  const { scratch } = t.kernel, { hostname, domainname } = t.ns.uts, at = Utsname.at;
  scratch.clear(Utsname.size);
  putText(scratch.u8, at.sysname, UTS_SYSNAME);
  putText(scratch.u8, at.nodename, hostname);
  putText(scratch.u8, at.release, (t.personality & UNAME26) !== 0 ? RELEASE_26 : UTS_RELEASE);
  putText(scratch.u8, at.version, UTS_VERSION);
  const isLinux32 = (t.personality & PER_MASK) === PER_LINUX32;
  putText(scratch.u8, at.machine, isLinux32 ? "i686" : UTS_MACHINE);
  putText(scratch.u8, at.domainname, domainname);
  return t.mm.copyOut(a.u64(0), scratch.u8, 0, Utsname.size) === 0 ? 0 : -EFAULT;
}

/** Writes at most 64 bytes, so that the NUL stays. */
function putText(u8: Uint8Array<ArrayBuffer>, at: number, text: string): void {
  const n = Math.min(text.length, UTS_LEN - 1);
  for (let i = 0; i < n; i++) u8[at + i] = text.charCodeAt(i);
}

export function sysSethostname(t: Task, a: SyscallArgs): number {
  const name = readName(t, a);
  if (typeof name === "number") return name;
  t.ns.uts.hostname = name;
  return 0;
}

export function sysSetdomainname(t: Task, a: SyscallArgs): number {
  const name = readName(t, a);
  if (typeof name === "number") return name;
  t.ns.uts.domainname = name;
  return 0;
}

function readName(t: Task, a: SyscallArgs): string | number {
  const { owner } = t.ns.uts;
  if (owner === null || !hasCapIn(t.cred, owner, CAP_SYS_ADMIN)) return -EPERM;
  const len = a.i32(1), { u8 } = t.kernel.scratch;
  if (len < 0 || len > UTS_LEN - 1) return -EINVAL;
  if (t.mm.copyIn(u8, 0, a.u64(0), len) !== 0) return -EFAULT;
  const name = bytesToString(u8, 0, len), end = name.indexOf("\0");
  return end < 0 ? name : name.slice(0, end);
}

/**
 * personality(2): the value is kept; ADDR_NO_RANDOMIZE and READ_IMPLIES_EXEC take effect at the
 * next execve.
 */
export function sysPersonality(t: Task, a: SyscallArgs): number {
  const old = t.personality, value = a.u32(0);
  if (value !== GET_PERSONALITY) t.personality = value;
  return old;
}
