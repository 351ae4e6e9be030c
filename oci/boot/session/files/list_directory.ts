/** `list`: the status of each entry of a directory. An entry that is gone meanwhile is left out. */

import { ENOENT, ESRCH } from "../../../../ffi/abi/errno.ts";
import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NONBLOCK,
  O_RDONLY,
} from "../../../../ffi/abi/fcntl.ts";
import { BLOCK } from "../../../../kernel/core/result.ts";
import { openAt } from "../../../../kernel/vfs/open.ts";
import { statAt } from "../../../../kernel/vfs/status.ts";
import type { FileStatus } from "../../../protocol/session/messages.ts";
import { callError } from "../call_errors.ts";
import { DirReader } from "./dir_reader.ts";
import {
  entryPath,
  FileChannel,
  type FileRequest,
  type GuestPath,
  install,
  unitsAfter,
} from "./file_channel.ts";
import { statusOf } from "./file_status.ts";

const WHAT = "cannot list";
const FLAGS = O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC;
/** Entries of an event: a name may take 1,500 bytes of a message. */
const BATCH = 64;
const ENTRY_UNITS = 8;

export class ListChannel extends FileChannel {
  readonly #path: GuestPath;
  #reader: DirReader | null = null;
  #fd = -1;
  #batch: FileStatus[] = [];

  constructor(request: FileRequest, path: GuestPath) {
    super(request);
    this.#path = path;
  }

  protected override work(units: number): number {
    const reader = this.#reader ?? this.#open();
    if (reader === null) return this.isOver ? units : 0;
    for (let left = units; left > 0; left -= ENTRY_UNITS) {
      if (this.mustPause()) return left;
      const name = reader.next();
      if (name === null) {
        this.#send();
        this.finish({});
        return unitsAfter(left, 0);
      }
      if (name === BLOCK) return 0;
      if (typeof name === "number") {
        this.fail(callError(WHAT, this.#path.text, name));
        return left;
      }
      if (!this.#add(name)) {
        if (this.isOver) return left;
        reader.putBack(name);
        return 0;
      }
    }
    return 0;
  }

  /** Null: not open in this turn. */
  #open(): DirReader | null {
    const { caller } = this;
    const file = openAt(caller, AT_FDCWD, this.#path.bytes, FLAGS, 0);
    if (file === BLOCK) return null;
    caller.progress.reset();
    const fd = typeof file === "number" ? file : install(caller, file);
    if (typeof file === "number" || fd < 0) {
      this.fail(callError(WHAT, this.#path.text, fd));
      return null;
    }
    this.#fd = fd;
    return this.#reader = new DirReader(file);
  }

  /** False: the channel has failed, or the entry has to be looked at again. */
  #add(name: string): boolean {
    const inode = statAt(this.caller, this.#fd, name, AT_SYMLINK_NOFOLLOW);
    if (inode === BLOCK) return false;
    this.caller.progress.reset();
    if (typeof inode !== "number") {
      this.#batch.push(statusOf(name, inode));
      if (this.#batch.length === BATCH) this.#send();
    } else if (inode !== -ENOENT && inode !== -ESRCH) {
      this.fail(callError(WHAT, entryPath(this.#path, name), inode));
      return false;
    }
    return true;
  }

  #send(): void {
    if (this.#batch.length > 0) this.port.event({ entries: this.#batch });
    this.#batch = [];
  }
}
