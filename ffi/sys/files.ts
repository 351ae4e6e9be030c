/**
 * Thin typed calls on files, memory and descriptors. Each is one system call and returns its raw
 * result: `-errno` on error.
 *
 * Paths are strings or bytes; buffers are host addresses. Only `poll` retries, and no state is
 * kept. Neighbours: cstring.ts for scratch memory, epoll.ts, fdpass.ts, spawn.ts. Sources: the man
 * pages of the same names.
 *
 * SAFETY (all exports): addresses go to the kernel as they are; it reads and writes the memory
 * there.
 */

import * as nr from "../abi/syscall_numbers.ts";
import { F_DUPFD_CLOEXEC } from "../abi/fcntl.ts";
import { EFD_CLOEXEC, EFD_NONBLOCK } from "../abi/epoll.ts";
import { EINTR } from "../abi/errno.ts";
import { Pollfd } from "../abi/poll.ts";
import { scratch } from "./cstring.ts";
import { syscall } from "./native.ts";

/** A path as text or as raw bytes. */
export type Path = string | Uint8Array;

/** openat(2). */
export function openat(dirfd: number, path: Path, flags: number, mode = 0): number {
  return syscall(nr.SYS_openat, dirfd, scratch.cstr(path), flags, mode);
}

/** close(2). */
export function close(fd: number): number {
  return syscall(nr.SYS_close, fd);
}

/** read(2). */
export function read(fd: number, address: number, lenBytes: number): number {
  return syscall(nr.SYS_read, fd, address, lenBytes);
}

/** write(2). */
export function write(fd: number, address: number, lenBytes: number): number {
  return syscall(nr.SYS_write, fd, address, lenBytes);
}

/** pread64(2). */
export function pread(fd: number, address: number, lenBytes: number, offset: number): number {
  return syscall(nr.SYS_pread64, fd, address, lenBytes, offset);
}

/** pwrite64(2). */
export function pwrite(fd: number, address: number, lenBytes: number, offset: number): number {
  return syscall(nr.SYS_pwrite64, fd, address, lenBytes, offset);
}

/** lseek(2). */
export function lseek(fd: number, offset: number, whence: number): number {
  return syscall(nr.SYS_lseek, fd, offset, whence);
}

/** fstat(2) into `struct stat` at `address`. */
export function fstat(fd: number, address: number): number {
  return syscall(nr.SYS_fstat, fd, address);
}

/** ftruncate(2). */
export function ftruncate(fd: number, lenBytes: number): number {
  return syscall(nr.SYS_ftruncate, fd, lenBytes);
}

/** fallocate(2). */
export function fallocate(fd: number, mode: number, offset: number, lenBytes: number): number {
  return syscall(nr.SYS_fallocate, fd, mode, offset, lenBytes);
}

/** fsync(2). */
export function fsync(fd: number): number {
  return syscall(nr.SYS_fsync, fd);
}

/** getdents64(2). */
export function getdents64(fd: number, address: number, lenBytes: number): number {
  return syscall(nr.SYS_getdents64, fd, address, lenBytes);
}

/** mmap(2). */
export function mmap(
  address: number,
  lenBytes: number,
  prot: number,
  flags: number,
  fd: number,
  offset: number,
): number {
  return syscall(nr.SYS_mmap, address, lenBytes, prot, flags, fd, offset);
}

/** munmap(2). */
export function munmap(address: number, lenBytes: number): number {
  return syscall(nr.SYS_munmap, address, lenBytes);
}

/** mprotect(2). */
export function mprotect(address: number, lenBytes: number, prot: number): number {
  return syscall(nr.SYS_mprotect, address, lenBytes, prot);
}

/** madvise(2). */
export function madvise(address: number, lenBytes: number, advice: number): number {
  return syscall(nr.SYS_madvise, address, lenBytes, advice);
}

/** memfd_create(2). */
export function memfdCreate(name: string, flags: number): number {
  return syscall(nr.SYS_memfd_create, scratch.cstr(name), flags);
}

/** fcntl(2). */
export function fcntl(fd: number, command: number, argument = 0): number {
  return syscall(nr.SYS_fcntl, fd, command, argument);
}

/** ioctl(2). */
export function ioctl(fd: number, request: number, argument = 0): number {
  return syscall(nr.SYS_ioctl, fd, request, argument);
}

/** A close-on-exec duplicate at the lowest free number from `atLeast` on. */
export function dup(fd: number, atLeast = 0): number {
  return syscall(nr.SYS_fcntl, fd, F_DUPFD_CLOEXEC, atLeast);
}

/** dup3(2). */
export function dup3(fd: number, to: number, flags: number): number {
  return syscall(nr.SYS_dup3, fd, to, flags);
}

/** eventfd2(2): by default close-on-exec and non-blocking. */
export function eventfd(initial = 0, flags = EFD_CLOEXEC | EFD_NONBLOCK): number {
  return syscall(nr.SYS_eventfd2, initial, flags);
}

/** pipe2(2). The two descriptors, `[read, write]`, or a negative errno. */
export function pipe(flags: number): [number, number] | number {
  const r = syscall(nr.SYS_pipe2, scratch.area(0), flags);
  return r < 0 ? r : pairInScratch();
}

/** socketpair(2). The two descriptors, or a negative errno. */
export function socketpair(
  family: number,
  type: number,
  protocol = 0,
): [number, number] | number {
  const r = syscall(nr.SYS_socketpair, family, type, protocol, scratch.area(0));
  return r < 0 ? r : pairInScratch();
}

function pairInScratch(): [number, number] {
  const at = scratch.areaOffset(0);
  return [scratch.dv.getInt32(at, true), scratch.dv.getInt32(at + 4, true)];
}

/**
 * poll(2) of one descriptor; a signal does not end it.
 *
 * @param timeoutMs 0 does not wait, -1 waits for ever
 * @returns its `revents`, 0 after the timeout, or a negative errno
 */
export function poll(fd: number, events: number, timeoutMs: number): number {
  const end = timeoutMs > 0 ? performance.now() + timeoutMs : 0;
  for (let leftMs = timeoutMs;;) {
    const at = scratch.areaOffset(0);
    scratch.dv.setInt32(at + Pollfd.at.fd, fd, true);
    scratch.dv.setInt16(at + Pollfd.at.events, events, true);
    scratch.dv.setInt16(at + Pollfd.at.revents, 0, true);
    const r = syscall(nr.SYS_poll, scratch.area(0), 1, leftMs);
    if (r !== -EINTR) return r <= 0 ? r : scratch.dv.getUint16(at + Pollfd.at.revents, true);
    if (timeoutMs > 0) leftMs = Math.max(0, Math.ceil(end - performance.now()));
  }
}
