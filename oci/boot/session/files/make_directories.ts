/**
 * `mkdir` with `recursive`: a directory and those above it, as with `mkdir -p`. Each name is
 * looked up from the directory before it, so that a long path takes time by its length alone.
 */

import { EEXIST, ENAMETOOLONG, ENOENT, ENOTDIR } from "../../../../ffi/abi/errno.ts";
import { AT_FDCWD } from "../../../../ffi/abi/fcntl.ts";
import { PATH_MAX } from "../../../../ffi/abi/fs.ts";
import { BLOCK } from "../../../../kernel/core/result.ts";
import { mkdirAt } from "../../../../kernel/vfs/create.ts";
import { findAt } from "../../../../kernel/vfs/status.ts";
import { callError } from "../call_errors.ts";
import { FileChannel, type FileRequest, type GuestPath, unitsAfter } from "./file_channel.ts";

/** The mode of directories above the one that is named. */
const PARENT_MODE = 0o755;
const NAME_UNITS = 16;

export class MakeDirectoriesChannel extends FileChannel {
  readonly #path: GuestPath;
  readonly #mode: number;
  readonly #names: readonly string[];
  /** The number of names that are there; the working directory is the last of them. */
  #done = 0;

  constructor(request: FileRequest, path: GuestPath, mode: number) {
    super(request);
    this.#path = path;
    this.#mode = mode;
    this.#names = path.bytes.split("/").filter((name) => name !== "");
  }

  protected override work(units: number): number {
    const names = this.#names, { caller } = this;
    let left = units, r = this.#path.bytes.length < PATH_MAX ? 0 : -ENAMETOOLONG;
    for (; r === 0 && this.#done < names.length; left -= NAME_UNITS) {
      if (left <= 0) return 0;
      r = this.#makeNext(names[this.#done]!, this.#done === names.length - 1);
      if (r === BLOCK) return 0;
      caller.progress.reset();
      this.#done++;
    }
    if (r === 0) this.finish({});
    else this.fail(callError("cannot make the directory", this.#path.text, r));
    return unitsAfter(left, 0);
  }

  #makeNext(name: string, isLast: boolean): number {
    const { caller } = this;
    const r = mkdirAt(caller, AT_FDCWD, name, isLast ? this.#mode : PARENT_MODE);
    if (r < 0 && r !== -EEXIST) return r;
    // A directory is there, or a link to one, or a file in the way.
    const found = findAt(caller, AT_FDCWD, `${name}/`, 0);
    if (typeof found !== "number") caller.fs.setCwd(found);
    else return isLast && (found === -ENOTDIR || found === -ENOENT) ? -EEXIST : found;
    return 0;
  }
}
