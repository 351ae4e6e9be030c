/** Requests that are one call of the VFS: stat, chmod, rename, remove of one file and others. */

import { EISDIR, ENAMETOOLONG } from "../../../../ffi/abi/errno.ts";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../../../ffi/abi/fcntl.ts";
import { PATH_MAX } from "../../../../ffi/abi/fs.ts";
import { BLOCK } from "../../../../kernel/core/result.ts";
import { chmodAt } from "../../../../kernel/vfs/attributes.ts";
import type { Caller } from "../../../../kernel/vfs/caller.ts";
import { mkdirAt, symlinkAt } from "../../../../kernel/vfs/create.ts";
import { rmdirAt, unlinkAt } from "../../../../kernel/vfs/remove.ts";
import { renameAt } from "../../../../kernel/vfs/rename.ts";
import { readlinkAt, statAt } from "../../../../kernel/vfs/status.ts";
import { wireOf } from "../../../protocol/wire_text.ts";
import { callError } from "../call_errors.ts";
import { FileChannel, type FileRequest, type GuestPath, unitsAfter } from "./file_channel.ts";
import { lastName, statusOf } from "./file_status.ts";

const CALL_UNITS = 32;

/** A call: -errno, BLOCK, 0, or the result. Paths are byte strings. */
type Call = (caller: Caller) => object | number;

export class CallChannel extends FileChannel {
  readonly #what: string;
  readonly #path: GuestPath;
  readonly #call: Call;
  readonly #rest: string;

  /** @param what, rest as "cannot rename" and " to /other", for errors about `path` */
  constructor(request: FileRequest, what: string, path: GuestPath, call: Call, rest: string = "") {
    super(request);
    this.#what = what;
    this.#path = path;
    this.#call = call;
    this.#rest = rest;
  }

  protected override work(units: number): number {
    const result = this.#call(this.caller);
    if (result === BLOCK) return 0;
    if (typeof result === "object") this.finish(result);
    else if (result >= 0) this.finish({});
    else this.fail(callError(this.#what, this.#path.text, result, this.#rest));
    return unitsAfter(units, CALL_UNITS);
  }
}

export function statCall(path: string, follow: boolean): Call {
  return (caller) => {
    const inode = statAt(caller, AT_FDCWD, path, follow ? 0 : AT_SYMLINK_NOFOLLOW);
    return typeof inode === "number" ? inode : statusOf(lastName(path), inode);
  };
}

export function mkdirCall(path: string, mode: number): Call {
  return (caller) => mkdirAt(caller, AT_FDCWD, path, mode);
}

/** Removes a file or an empty directory. */
export function removeCall(path: string): Call {
  return (caller) => removeOne(caller, AT_FDCWD, path);
}

export function removeOne(caller: Caller, dirfd: number, path: string): number {
  const r = unlinkAt(caller, dirfd, path);
  return r === -EISDIR ? rmdirAt(caller, dirfd, path) : r;
}

export function renameCall(from: string, to: string): Call {
  return (caller) => renameAt(caller, AT_FDCWD, from, AT_FDCWD, to, 0);
}

export function chmodCall(path: string, mode: number): Call {
  return (caller) => chmodAt(caller, AT_FDCWD, path, mode, 0);
}

export function symlinkCall(target: string, path: string): Call {
  return (caller) =>
    target.length < PATH_MAX ? symlinkAt(caller, target, AT_FDCWD, path) : -ENAMETOOLONG;
}

export function readlinkCall(path: string): Call {
  return (caller) => {
    const target = readlinkAt(caller, AT_FDCWD, path);
    return typeof target === "number" ? target : { target: wireOf(target) };
  };
}
