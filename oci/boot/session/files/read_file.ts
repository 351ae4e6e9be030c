/** `readFile`: the bytes of a regular file, read straight to the connection's buffer. */

import { EAGAIN } from "../../../../ffi/abi/errno.ts";
import { O_RDONLY } from "../../../../ffi/abi/fcntl.ts";
import { IN_ACCESS } from "../../../../ffi/abi/inotify.ts";
import { BLOCK } from "../../../../kernel/core/result.ts";
import { KernelCursor } from "../../../../kernel/mm/cursor.ts";
import { notifyFile } from "../../../../kernel/vfs/notify.ts";
import type { OpenFile } from "../../../../kernel/vfs/open_file.ts";
import { OUTPUT } from "../../../protocol/session/frame.ts";
import { FileChannel, type FileRequest, type GuestPath, unitsAfter } from "./file_channel.ts";
import { openError, openRegular } from "./open_regular.ts";

const WHAT = "cannot read";
const OPEN_UNITS = 16;

export class ReadFileChannel extends FileChannel {
  readonly #path: GuestPath;
  readonly #cursor: KernelCursor = new KernelCursor();
  #file: OpenFile | null = null;
  #offset: number;
  /** Bytes that are still wanted. */
  #left: number;
  /** 1: all is read; -errno: a read failed; 0: neither. */
  #outcome = 0;

  constructor(request: FileRequest, path: GuestPath, offset: number, length: number) {
    super(request);
    this.#path = path;
    this.#offset = offset;
    this.#left = length;
  }

  protected override work(units: number): number {
    const path = this.#path;
    if (this.#outcome !== 0) this.#report();
    else if (this.#file === null) {
      const file = openRegular(this.caller, path.bytes, O_RDONLY, 0);
      if (file === BLOCK) return 0;
      if (typeof file === "number") this.fail(openError(WHAT, path.text, file));
      else this.#file = file;
    }
    if (!this.isOver) this.port.wantsToSend(OUTPUT);
    return unitsAfter(units, OPEN_UNITS);
  }

  #report(): void {
    if (this.#outcome > 0) this.finish({});
    else this.fail(openError(WHAT, this.#path.text, this.#outcome));
  }

  /** The end is reported by the next step: the connection has sent what it was given by then. */
  override produce(stream: number, address: number, max: number): number {
    const file = this.#file;
    if (stream !== OUTPUT || file === null || this.#outcome < 0) return 0;
    const wanted = Math.min(max, this.#left, file.sliceBytes);
    const n = this.#outcome > 0 || wanted === 0 ? 0 : this.#read(file, address, wanted);
    if (n > 0) return n;
    if (n === -EAGAIN && file.needsTurn) {
      this.goOn();
      return 0;
    }
    this.#outcome = n === 0 ? 1 : n;
    this.goOn();
    return n === 0 ? -1 : 0;
  }

  #read(file: OpenFile, address: number, wanted: number): number {
    const n = file.read(this.#cursor.set(address, wanted), this.#offset);
    if (n <= 0) return n;
    this.#offset += n;
    this.#left -= n;
    notifyFile(file, IN_ACCESS);
    return n;
  }

  protected override release(): void {
    this.#file?.drop();
    this.#file = null;
  }
}
