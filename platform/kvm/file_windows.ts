/**
 * Host files as memory of the machine: stretches of files are mapped into windows, which all spaces
 * share.
 *
 * A window holds one stretch of one file as long as a space maps a page of it, and longer while the
 * room is not needed. A new mapping in a window also makes the host forget what the machine saw
 * there. Neighbours: `guest_physical.ts`, `space.ts`.
 */

import { F_GETFL, O_ACCMODE, O_RDWR } from "../../ffi/abi/fcntl.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  PAGE_SIZE,
  PROT_EXEC,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from "../../ffi/abi/mman.ts";
import { Stat } from "../../ffi/abi/stat.ts";
import { ST_NOEXEC, Statfs } from "../../ffi/abi/statfs.ts";
import { SYS_fstatfs } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { close, dup, fcntl, fstat, mmap } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { type GuestPhysical, WINDOWS_BYTES } from "./guest_physical.ts";

export const WINDOW_BYTES: number = 2 * 2 ** 20;
/** Number of windows. */
export const MAX_WINDOWS: number = WINDOWS_BYTES / WINDOW_BYTES;
/** Returned in place of a window: all windows have users. */
export const ALL_USED = -2;

interface MappedFile {
  readonly fd: number;
  readonly isWritable: boolean;
  readonly isExecutable: boolean;
  /** Windows by the number of their stretch. */
  readonly windows: Map<number, Window>;
  isForgotten: boolean;
}

interface Window {
  readonly index: number;
  readonly file: MappedFile;
  readonly stretch: number;
  /** Number of spaces that map pages of it. */
  users: number;
}

export class FileWindows {
  readonly #memory: GuestPhysical;
  readonly #files = new Map<number, MappedFile>();
  readonly #windows: (Window | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #max: number;
  #nextFile = 1;

  constructor(memory: GuestPhysical, max: number) {
    this.#memory = memory;
    this.#max = max;
  }

  /** @returns a handle, or `-errno` */
  register(hostFd: number): number {
    const mode = fcntl(hostFd, F_GETFL);
    const fd = mode < 0 ? mode : dup(hostFd);
    if (fd < 0) return fd;
    const r = syscall(SYS_fstatfs, fd, scratch.area(0));
    const flags = r < 0
      ? ST_NOEXEC
      : scratch.dv.getUint32(scratch.areaOffset(0) + Statfs.at.flags, true);
    this.#files.set(this.#nextFile, {
      fd,
      isWritable: (mode & O_ACCMODE) === O_RDWR,
      isExecutable: (flags & ST_NOEXEC) === 0,
      windows: new Map(),
      isForgotten: false,
    });
    return this.#nextFile++;
  }

  unregister(handle: number): void {
    const file = this.#files.get(handle);
    if (file === undefined) return;
    this.#files.delete(handle);
    file.isForgotten = true;
    for (const window of file.windows.values()) if (window.users === 0) this.#release(window);
    this.#closeIfUnused(file);
  }

  /** Whether the file's mode and mount allow a mapping with these permissions. */
  allows(handle: number, prot: number): boolean {
    const file = this.#files.get(handle);
    if (file === undefined) return false;
    return ((prot & PROT_WRITE) === 0 || file.isWritable) &&
      ((prot & PROT_EXEC) === 0 || file.isExecutable);
  }

  /**
   * Takes the window of a stretch and counts a user: its number, ALL_USED, or -1 if the host
   * refuses the mapping.
   */
  window(handle: number, stretch: number): number {
    const file = this.#files.get(handle);
    if (file === undefined) return -1;
    const known = file.windows.get(stretch);
    if (known !== undefined) return known.index;
    const index = this.#takeIndex();
    if (index < 0) return index;
    const prot = file.isWritable ? PROT_READ | PROT_WRITE : PROT_READ;
    const r = mmap(
      this.#hostAddress(index),
      WINDOW_BYTES,
      prot,
      MAP_SHARED | MAP_FIXED,
      file.fd,
      stretch * WINDOW_BYTES,
    );
    if (r < 0) {
      this.#free.push(index);
      return -1;
    }
    const window: Window = { index, file, stretch, users: 0 };
    this.#windows[index] = window;
    file.windows.set(stretch, window);
    return index;
  }

  pageOf(index: number): number {
    return this.#memory.windowsAt + index * WINDOW_BYTES;
  }

  /** The window that has this guest-physical page, or -1. */
  indexOf(page: number): number {
    const offset = page - this.#memory.windowsAt;
    return offset < 0 ? -1 : Math.floor(offset / WINDOW_BYTES);
  }

  addUser(index: number): void {
    this.#windows[index]!.users++;
  }

  removeUser(index: number): void {
    const window = this.#windows[index]!;
    if (--window.users > 0 || !window.file.isForgotten) return;
    this.#release(window);
    this.#closeIfUnused(window.file);
  }

  /**
   * How many bytes of the file follow from this page of a window on; 0 or less: the page lies
   * behind the end of the file.
   */
  bytesOfFile(page: number): number {
    const index = this.indexOf(page), window = this.#windows[index];
    if (window === undefined || fstat(window.file.fd, scratch.area(0)) < 0) return 0;
    const at = scratch.areaOffset(0) + Stat.at.size;
    const size = scratch.dv.getUint32(at, true) + scratch.dv.getInt32(at + 4, true) * 2 ** 32;
    const pages = Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
    return pages - window.stretch * WINDOW_BYTES - (page - this.pageOf(index));
  }

  #takeIndex(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#windows.length < this.#max) {
      const index = this.#windows.length;
      this.#windows.push(undefined);
      if (this.#memory.use(this.pageOf(index), WINDOW_BYTES)) return index;
      this.#windows.pop();
    }
    const unused = this.#windows.find((window) => window !== undefined && window.users === 0);
    if (unused === undefined) return ALL_USED;
    this.#release(unused);
    return this.#free.pop()!;
  }

  /** Closes the file: its windows are free, and their pages belong to no file. */
  #release(window: Window): void {
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    mmap(this.#hostAddress(window.index), WINDOW_BYTES, PROT_NONE, flags, -1, 0);
    window.file.windows.delete(window.stretch);
    this.#windows[window.index] = undefined;
    this.#free.push(window.index);
  }

  #closeIfUnused(file: MappedFile): void {
    if (file.isForgotten && file.windows.size === 0) close(file.fd);
  }

  #hostAddress(index: number): number {
    return this.#memory.windowsBase + index * WINDOW_BYTES;
  }

  close(): void {
    for (const file of new Set(this.#windows.map((window) => window?.file))) {
      if (file?.isForgotten) close(file.fd);
    }
    for (const file of this.#files.values()) close(file.fd);
  }
}
