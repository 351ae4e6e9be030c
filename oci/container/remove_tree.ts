/**
 * Removes a directory with all files that a guest has made in it, however deep: directories below
 * are moved up to the first level before they are emptied, so that two descriptors and no stack
 * suffice. Links are removed, never followed. No other process may write there meanwhile. See
 * unlinkat(2), renameat2(2), getdents64(2).
 */

import { LinuxDirent64 } from "../../ffi/abi/dirent.ts";
import { EEXIST, EISDIR, ENOENT, ENOTEMPTY, EPERM } from "../../ffi/abi/errno.ts";
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
} from "../../ffi/abi/fcntl.ts";
import { SEEK_SET } from "../../ffi/abi/fs.ts";
import { SYS_geteuid, SYS_renameat2, SYS_unlinkat } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, getdents64, lseek, openat } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";

type Name = Uint8Array;

const DIRECTORY = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
const DIRENTS_BYTES = 65536;
const DOT = 0x2e;

/**
 * No error if the directory does not exist.
 * @throws SyscallError
 */
export function removeTree(path: string): void {
  addOwnerPermission(AT_FDCWD, path);
  const fd = openat(AT_FDCWD, path, O_RDONLY | DIRECTORY);
  if (fd === -ENOENT) return;
  check(fd, `open ${path}`);
  try {
    new Tree(fd).empty();
  } finally {
    close(fd);
  }
  check(unlink(AT_FDCWD, path, AT_REMOVEDIR), `remove ${path}`);
}

class Tree {
  readonly #top: number;
  /** A prefix that no guest can know. */
  readonly #prefix = `.${crypto.randomUUID()}`;
  #moved = 0;

  constructor(top: number) {
    this.#top = top;
  }

  empty(): void {
    const top = this.#top;
    for (let names = list(top); names.length > 0; names = list(top)) {
      for (const name of names) {
        if (!removeOne(top, name)) this.#flatten(name);
      }
    }
  }

  /** Removes a directory of the first level; its subdirectories move to the first level. */
  #flatten(name: Name): void {
    addOwnerPermission(this.#top, name);
    const fd = check(openat(this.#top, name, O_RDONLY | DIRECTORY), "open a directory");
    try {
      for (let names = list(fd); names.length > 0; names = list(fd)) {
        for (const inner of names) {
          if (!removeOne(fd, inner)) this.#moveUp(fd, inner);
        }
      }
    } finally {
      close(fd);
    }
    check(unlink(this.#top, name, AT_REMOVEDIR), "remove a directory");
  }

  #moveUp(from: number, name: Name): void {
    addOwnerPermission(from, name);
    const to = scratch.cstr(`${this.#prefix}.${this.#moved++}`, 1);
    const r = syscall(SYS_renameat2, from, scratch.cstr(name, 0), this.#top, to, 0);
    check(r, "move a directory");
  }
}

/** @returns false for a directory that is not empty */
function removeOne(dir: number, name: Name): boolean {
  const r = unlink(dir, name, 0);
  if (r >= 0) return true;
  if (r !== -EISDIR && r !== -EPERM) check(r, "remove a file");
  const removed = unlink(dir, name, AT_REMOVEDIR);
  if (removed === -ENOTEMPTY || removed === -EEXIST) return false;
  check(removed, "remove a directory");
  return true;
}

function unlink(dir: number, name: string | Name, flags: number): number {
  return syscall(SYS_unlinkat, dir, scratch.cstr(name), flags);
}

/** The first names of a directory, without `.` and `..`. */
function list(fd: number): Name[] {
  check(lseek(fd, 0, SEEK_SET), "read a directory");
  const { at } = LinuxDirent64, start = scratch.areaOffset(0), names: Name[] = [];
  // One getdents64 may return these two only.
  while (names.length === 0) {
    const bytes = check(getdents64(fd, scratch.area(0), DIRENTS_BYTES), "read a directory");
    if (bytes === 0) break;
    for (let entry = start; entry < start + bytes;) {
      const from = entry + at.name, name = scratch.u8.slice(from, scratch.u8.indexOf(0, from));
      if (!isDots(name)) names.push(name);
      entry += scratch.dv.getUint16(entry + at.reclen, true);
    }
  }
  return names;
}

function isDots(name: Name): boolean {
  return name[0] === DOT && (name.length === 1 || name.length === 2 && name[1] === DOT);
}

/**
 * Gives an ordinary user permission to read and change its own directory, which a guest may have
 * removed. Root does not need it.
 */
function addOwnerPermission(dir: number, name: string | Name): void {
  if (syscall(SYS_geteuid) === 0) return;
  const fd = openat(dir, name, O_PATH | DIRECTORY);
  if (fd < 0) return;
  try {
    Deno.chmodSync(`/proc/self/fd/${fd}`, 0o700);
  } catch {
    // Its owner is another user: the next step reports the error.
  } finally {
    close(fd);
  }
}
