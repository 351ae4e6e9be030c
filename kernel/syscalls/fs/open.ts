/**
 * open(2), openat(2), openat2(2), creat(2): decodes arguments, opens the file in the VFS, and
 * installs a descriptor.
 */

import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { E2BIG, EFAULT, EINVAL, EMFILE } from "../../../ffi/abi/errno.ts";
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_CREAT,
  O_TRUNC,
  O_WRONLY,
  OpenHow,
} from "../../../ffi/abi/fcntl.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { resumeOpen } from "../../ipc/fifo.ts";
import type { Task } from "../../task/task.ts";
import { openAt, openAt2 } from "../../vfs/open.ts";
import { checkOpenHow } from "../../vfs/open_flags.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { pathArg } from "./arguments.ts";

export function sysOpen(t: Task, a: SyscallArgs): number {
  return open(t, AT_FDCWD, a.u64(0), a.i32(1), a.u32(2));
}

/** HOT */
export function sysOpenat(t: Task, a: SyscallArgs): number {
  return open(t, a.i32(0), a.u64(1), a.i32(2), a.u32(3));
}

export function sysCreat(t: Task, a: SyscallArgs): number {
  return open(t, AT_FDCWD, a.u64(0), O_CREAT | O_WRONLY | O_TRUNC, a.u32(1));
}

/** Opens the path at `pathAddr`: a descriptor, -errno, or BLOCK while a FIFO waits for its peer. */
function open(t: Task, dirfd: number, pathAddr: number, flags: number, mode: number): number {
  if (t.progress.object !== null) {
    const waited = resumeOpen(t);
    if (waited !== null) return installOpened(t, waited, flags);
  }
  const path = pathArg(t, pathAddr);
  if (typeof path === "number") return path;
  if (isFull(t)) return -EMFILE;
  return installOpened(t, openAt(t, dirfd, path, flags, mode), flags);
}

/** openat2(2). A larger struct is accepted if its unknown part is zero. */
export function sysOpenat2(t: Task, a: SyscallArgs): number {
  const how = readHow(t, a.u64(2), a.u64(3));
  return typeof how === "number" ? how : openHow(t, a.i32(0), a.u64(1), how);
}

/** struct open_how: O_* flags, permissions, RESOLVE_* flags. */
export interface How {
  readonly flags: number;
  readonly mode: number;
  readonly resolve: number;
}

/** Reads struct open_how of `size` bytes at `addr`; or -errno. */
export function readHow(t: Task, addr: number, size: number): How | number {
  if (size < OpenHow.size) return -EINVAL;
  if (size > PAGE_SIZE) return -E2BIG;
  const u8 = t.kernel.scratch.u8;
  if (t.mm.copyIn(u8, 0, addr, size) < 0) return -EFAULT;
  for (let i = OpenHow.size; i < size; i++) if (u8[i] !== 0) return -E2BIG;
  const { at } = OpenHow;
  return { flags: u64At(t, at.flags), mode: u64At(t, at.mode), resolve: u64At(t, at.resolve) };
}

/** As `open`, with the checks of openat2(2). Also called for IORING_OP_OPENAT2 (kernel/uring). */
export function openHow(t: Task, dirfd: number, pathAddr: number, how: How): number {
  const { flags, mode, resolve } = how;
  if (t.progress.object !== null) {
    const waited = resumeOpen(t);
    if (waited !== null) return installOpened(t, waited, flags);
  }
  const bad = checkOpenHow(flags, mode, resolve);
  if (bad < 0) return bad;
  const path = pathArg(t, pathAddr);
  if (typeof path === "number") return path;
  if (isFull(t)) return -EMFILE;
  return installOpened(t, openAt2(t, dirfd, path, flags, mode, resolve), flags);
}

/** The u64 at offset `at` of the scratch buffer; beyond 2^53 it is rounded. */
function u64At(t: Task, at: number): number {
  const dv = t.kernel.scratch.dv;
  return dv.getUint32(at, true) + dv.getUint32(at + 4, true) * 0x100000000;
}

/**
 * Whether the caller has no free descriptor. Linux allocates the descriptor before it opens:
 * without one no file is created.
 */
function isFull(t: Task): boolean {
  return !t.files.hasRoom(t.group.limits.get(RLIMIT_NOFILE));
}

/** Installs a descriptor for an opened file, or returns its error. HOT */
function installOpened(t: Task, file: OpenFile | number, flags: number): number {
  if (typeof file === "number") return file;
  const limit = t.group.limits.get(RLIMIT_NOFILE);
  const fd = t.files.install(file, (flags & O_CLOEXEC) !== 0, limit);
  if (fd < 0) file.drop();
  return fd;
}
