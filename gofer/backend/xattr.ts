/** Extended attributes of host files, limited to the name spaces that a served file may have. */

import { EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import { XATTR_SECURITY_PREFIX, XATTR_USER_PREFIX } from "../../ffi/abi/xattr.ts";
import type { Str } from "../protocol/wire.ts";
import type { ProcFd } from "./host_calls.ts";
import { base, DIRENTS_AT, DIRENTS_BYTES, mem, stageXattrName } from "./scratch.ts";

/**
 * "trusted." belongs to the host's administrator (overlayfs keeps its state there), other "system."
 * to drivers.
 */
const SERVED_PREFIXES = [XATTR_USER_PREFIX, XATTR_SECURITY_PREFIX, "system.posix_acl_"];

function isServed(byteAt: (i: number) => number): boolean {
  for (const prefix of SERVED_PREFIXES) {
    let i = 0;
    while (i < prefix.length && byteAt(i) === prefix.charCodeAt(i)) i++;
    if (i === prefix.length) return true;
  }
  return false;
}

function stage(name: Str): number {
  const addr = stageXattrName(name);
  if (addr < 0) return addr;
  return isServed((i) => name.at(i)) ? addr : -EOPNOTSUPP;
}

/** getxattr(2) into `len` bytes at `addr` (0: the length alone): the value's length or -errno. */
export function getXattr(fd: number, name: Str, addr: number, len: number, proc: ProcFd): number {
  const nameAddr = stage(name);
  return nameAddr < 0 ? nameAddr : proc.getxattr(fd, nameAddr, addr, len);
}

/** setxattr(2) from `len` bytes at `addr`. */
export function setXattr(
  fd: number,
  name: Str,
  addr: number,
  len: number,
  flags: number,
  proc: ProcFd,
): number {
  const nameAddr = stage(name);
  return nameAddr < 0 ? nameAddr : proc.setxattr(fd, nameAddr, addr, len, flags);
}

/** fremovexattr(2) by the descriptor's name in /proc: 0 or -errno. */
export function removeXattr(fd: number, name: Str, proc: ProcFd): number {
  const nameAddr = stage(name);
  return nameAddr < 0 ? nameAddr : proc.removexattr(fd, nameAddr);
}

/**
 * listxattr(2): the served names, each with its NUL, end up in `mem` from DIRENTS_AT. Returns their
 * length or -errno.
 */
export function listXattrs(fd: number, proc: ProcFd): number {
  const got = proc.listxattr(fd, base + DIRENTS_AT, DIRENTS_BYTES);
  if (got <= 0) return got;
  const end = DIRENTS_AT + got;
  let to = DIRENTS_AT;
  for (let from = DIRENTS_AT; from < end;) {
    let next = from;
    while (next < end && mem[next] !== 0) next++;
    next++;
    const start = from;
    if (isServed((i) => mem[start + i] ?? 0)) {
      mem.copyWithin(to, from, next);
      to += next - from;
    }
    from = next;
  }
  return to - DIRENTS_AT;
}
