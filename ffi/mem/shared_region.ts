/**
 * Small shared control memory: a memfd, mapped here with views for `DataView` and `Atomics`, and
 * elsewhere by its descriptor.
 *
 * Guest memory is in arena.ts. The size is fixed and sealed, so no other process can make an access
 * here fault.
 */

import {
  F_ADD_SEALS,
  F_SEAL_GROW,
  F_SEAL_SHRINK,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
} from "../abi/fcntl.ts";
import { MAP_SHARED, PAGE_SIZE, PROT_READ, PROT_WRITE } from "../abi/mman.ts";
import { check } from "../sys/errors.ts";
import { close, fcntl, ftruncate, memfdCreate, mmap, munmap } from "../sys/files.ts";
import { viewOf } from "../sys/native.ts";

/** A memfd of `sizeBytes` that may be mapped anywhere but never change its size: its descriptor. */
export function sealedMemfd(name: string, sizeBytes: number): number {
  const fd = check(memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), `memfd_create "${name}"`);
  try {
    check(ftruncate(fd, sizeBytes), `ftruncate "${name}" to ${sizeBytes}`);
    check(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), `fcntl F_ADD_SEALS "${name}"`);
  } catch (error) {
    close(fd);
    throw error;
  }
  return fd;
}

export class SharedRegion {
  /** The memfd, close-on-exec. */
  readonly fd: number;
  /** Host address here. */
  readonly base: number;
  /** Bytes: a whole number of pages. */
  readonly size: number;
  readonly dv: DataView<ArrayBuffer>;
  readonly i32: Int32Array<ArrayBuffer>;

  private constructor(fd: number, base: number, size: number) {
    this.fd = fd;
    this.base = base;
    this.size = size;
    const buffer = viewOf(base, size);
    this.dv = new DataView(buffer);
    this.i32 = new Int32Array(buffer);
  }

  /**
   * @param name shows in /proc/PID/maps
   * @param sizeBytes rounded up to pages
   * @throws SyscallError if the host has no memory or descriptor left
   */
  static create(name: string, sizeBytes: number): SharedRegion {
    const size = Math.ceil(sizeBytes / PAGE_SIZE) * PAGE_SIZE;
    const fd = sealedMemfd(name, size);
    const base = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base < 0) close(fd);
    check(base, `mmap "${name}"`);
    return new SharedRegion(fd, base, size);
  }

  /**
   * Unmaps the memory and closes the descriptor.
   *
   * SAFETY: `dv` and `i32` must not be used any more: another mapping may soon be at their address.
   */
  close(): void {
    munmap(this.base, this.size);
    close(this.fd);
  }
}
