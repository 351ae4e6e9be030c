/**
 * The file of a checkpoint, in a directory of its own (`--image-path`) or anywhere
 * (`--image-file`). A new one has no name before it is whole, so that a command that fails or is
 * killed leaves nothing. See open(2), O_TMPFILE.
 */

import { basename, dirname, join, resolve } from "@std/path";
import * as E from "../../ffi/abi/errno.ts";
import * as F from "../../ffi/abi/fcntl.ts";
import { SYS_linkat, SYS_renameat, SYS_unlinkat } from "../../ffi/abi/syscall_numbers.ts";
import { addressOf, allocBuffer, scratch } from "../../ffi/sys/cstring.ts";
import { close, fsync, openat, write } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { errnoText } from "../file_error.ts";
import { usageError, UserError } from "../user_error.ts";

/** The snapshot. */
const IMAGE = "dvisor.dvsnap";
/**
 * Podman restores from a directory only if it has this file, by which CRIU begins a checkpoint. The
 * text is for readers.
 */
const MARK = "inventory.img", MARK_TEXT = `A checkpoint of dvisor: ${IMAGE}\n`;

/** Bytes of a file's name that its temporary name begins with: a name has 255 at most. */
const NAME_KEPT = 50;

/** What file systems answer that have no files without a name. */
const NO_TMPFILE: readonly number[] = [-E.EOPNOTSUPP, -E.EISDIR, -E.EINVAL, -E.ENOENT];

/** A snapshot that is being written. */
export class NewImage {
  /** The file, for reading and writing. */
  readonly fd: number;
  readonly #path: string;
  readonly #dir: number;
  readonly #name: string;
  /** Where errors say the path is from. */
  readonly #option: string;
  /** A name of its own; the file has it already, or gets it for a moment. */
  readonly #temporary: string;
  readonly #isNamed: boolean;
  #isOwnMark = false;
  /** The directory is new. */
  readonly #isOwnDirectory: boolean;

  /**
   * Makes the directory if it is not there, and a file in it that others cannot read.
   * @throws UserError
   */
  static inDirectory(directory: string): NewImage {
    const path = resolve(directory);
    return new NewImage(path, IMAGE, "--image-path", makeDirectory(path));
  }

  /**
   * A file that others cannot read, in a directory that is there.
   * @throws UserError
   */
  static at(file: string): NewImage {
    const path = resolve(file), name = basename(path);
    if (name === "" || file.endsWith("/")) {
      throw usageError(`--image-file is "${file}", expected the path of a file`);
    }
    // Another one, /dev/null for example, is not to be replaced.
    if (isThere(path) && !Deno.statSync(path).isFile) {
      throw new UserError(`--image-file: ${path} is no regular file`);
    }
    return new NewImage(dirname(path), name, "--image-file", false);
  }

  private constructor(path: string, name: string, option: string, isOwnDirectory: boolean) {
    this.#path = path;
    this.#name = name;
    this.#option = option;
    this.#isOwnDirectory = isOwnDirectory;
    this.#temporary = `${name.slice(0, NAME_KEPT)}.${crypto.randomUUID()}`;
    const dir = this.#dir = openDirectory(path, option), flags = F.O_RDWR | F.O_CLOEXEC;
    let fd = openat(dir, ".", F.O_TMPFILE | flags, 0o600);
    this.#isNamed = NO_TMPFILE.includes(fd);
    if (this.#isNamed) {
      fd = openat(dir, this.#temporary, F.O_CREAT | F.O_EXCL | flags, 0o600);
    }
    this.fd = fd;
    if (fd >= 0) return;
    this.discard();
    throw new UserError(`${option}: cannot make a file in ${path}: ${errnoText(fd)}`);
  }

  /**
   * Gives the file its name. An earlier snapshot in the directory is replaced.
   * @throws UserError
   */
  publish(): void {
    // What is saved ends here: a crash of the host must not take the file along.
    let r = fsync(this.fd);
    if (r >= 0 && this.#option === "--image-path") r = this.#mark();
    // Only a snapshot that replaces an earlier one has a second name for a moment.
    if (r >= 0) r = this.#isNamed ? -E.EEXIST : this.#link(this.#name);
    if (r === -E.EEXIST) {
      r = this.#isNamed ? 0 : this.#link(this.#temporary);
      if (r >= 0) r = this.#rename();
    }
    if (r >= 0) fsync(this.#dir);
    if (r >= 0) return;
    throw new UserError(`${this.#option}: cannot name ${this.path}: ${errnoText(r)}`);
  }

  /** Absolute. */
  get path(): string {
    return join(this.#path, this.#name);
  }

  #rename(): number {
    const [from, to] = [scratch.cstr(this.#temporary, 0), scratch.cstr(this.#name, 1)];
    return syscall(SYS_renameat, this.#dir, from, this.#dir, to);
  }

  #link(name: string): number {
    const from = scratch.cstr(`/proc/self/fd/${this.fd}`, 0), to = scratch.cstr(name, 1);
    return syscall(SYS_linkat, F.AT_FDCWD, from, this.#dir, to, F.AT_SYMLINK_FOLLOW);
  }

  /** @returns negative if the mark cannot be made */
  #mark(): number {
    const flags = F.O_WRONLY | F.O_CREAT | F.O_EXCL | F.O_CLOEXEC;
    const fd = openat(this.#dir, MARK, flags, 0o600);
    if (fd < 0) return fd === -E.EEXIST ? 0 : fd;
    this.#isOwnMark = true;
    const text = new TextEncoder().encode(MARK_TEXT), bytes = allocBuffer(text.length);
    bytes.set(text);
    const r = write(fd, addressOf(bytes), bytes.length);
    close(fd);
    return r;
  }

  /** Takes away what was made of a snapshot that has no name. */
  discard(): void {
    this.#unlink(this.#temporary);
    if (this.#isOwnMark) this.#unlink(MARK);
    this.close();
    if (!this.#isOwnDirectory) return;
    try {
      Deno.removeSync(this.#path);
    } catch {
      // It has other files by now.
    }
  }

  #unlink(name: string): void {
    syscall(SYS_unlinkat, this.#dir, scratch.cstr(name), 0);
  }

  /** Closes the file. */
  close(): void {
    for (const fd of [this.fd, this.#dir]) if (fd >= 0) close(fd);
  }
}

/** @returns whether it was not there */
function makeDirectory(path: string): boolean {
  try {
    const isNew = !isThere(path);
    Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
    return isNew;
  } catch (error) {
    throw new UserError(`--image-path: cannot make ${path}`, undefined, error);
  }
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}

function openDirectory(path: string, option: string): number {
  const fd = openat(F.AT_FDCWD, path, F.O_RDONLY | F.O_DIRECTORY | F.O_CLOEXEC);
  if (fd >= 0) return fd;
  throw new UserError(`${option}: cannot open ${path}: ${errnoText(fd)}`);
}

/** Without waiting for a writer of a FIFO; the boot process refuses what is no regular file. */
const READ_FLAGS = F.O_RDONLY | F.O_NONBLOCK | F.O_CLOEXEC;

/**
 * Opens a snapshot that {@linkcode NewImage.at} made.
 * @returns descriptor
 * @throws UserError
 */
export function openImageFile(file: string): number {
  const path = resolve(file), fd = openat(F.AT_FDCWD, path, READ_FLAGS);
  if (fd >= 0) return fd;
  throw new UserError(`--image-file: cannot open ${path}: ${errnoText(fd)}`);
}

/**
 * Opens the snapshot of a directory for reading.
 * @returns descriptor
 * @throws UserError
 */
export function openImage(directory: string): number {
  const path = resolve(directory), file = `${path}/${IMAGE}`;
  const fd = openat(F.AT_FDCWD, file, READ_FLAGS | F.O_NOFOLLOW);
  if (fd >= 0) return fd;
  if (fd === -E.ENOENT && isThere(path)) {
    throw new UserError(`--image-path: ${path} has no checkpoint of dvisor: there is no ${IMAGE}`);
  }
  throw new UserError(`--image-path: cannot open ${file}: ${errnoText(fd)}`);
}
