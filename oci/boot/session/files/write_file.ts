/**
 * `writeFile`: bytes of the client go straight to the file. What was written stays there when the
 * request fails or is cancelled, as with `>` of a shell.
 */

import { addressOf } from "../../../../ffi/sys/cstring.ts";
import { EIO } from "../../../../ffi/abi/errno.ts";
import { IN_MODIFY } from "../../../../ffi/abi/inotify.ts";
import { BLOCK } from "../../../../kernel/core/result.ts";
import { KernelCursor } from "../../../../kernel/mm/cursor.ts";
import { hasPrivileges, removePrivileges } from "../../../../kernel/vfs/attributes.ts";
import { notifyFile } from "../../../../kernel/vfs/notify.ts";
import type { OpenFile } from "../../../../kernel/vfs/open_file.ts";
import { INPUT } from "../../../protocol/session/frame.ts";
import { callError } from "../call_errors.ts";
import { FileChannel, type FileRequest, type GuestPath, unitsAfter } from "./file_channel.ts";
import { openError, openRegular } from "./open_regular.ts";

const WHAT = "cannot write";
const OPEN_UNITS = 16;

export class WriteFileChannel extends FileChannel {
  readonly #path: GuestPath;
  readonly #flags: number;
  readonly #mode: number;
  readonly #cursor: KernelCursor = new KernelCursor();
  #file: OpenFile | null = null;
  #bytes = 0;
  #hasEnded = false;
  /** Data that came while the walk of a long path took several turns; a window at most. */
  #early: Uint8Array<ArrayBuffer>[] = [];

  /** @param flags of open(2), with the access mode */
  constructor(request: FileRequest, path: GuestPath, flags: number, mode: number) {
    super(request);
    this.#path = path;
    this.#flags = flags;
    this.#mode = mode;
  }

  protected override work(units: number): number {
    if (!this.#open()) return this.isOver ? units : 0;
    if (this.#hasEnded) this.finish({ bytes: this.#bytes });
    return unitsAfter(units, OPEN_UNITS);
  }

  /** Whether the file is open, and has the data that came before. */
  #open(): boolean {
    if (this.#file !== null) return true;
    const path = this.#path;
    const file = openRegular(this.caller, path.bytes, this.#flags, this.#mode);
    if (file === BLOCK) return false;
    if (typeof file === "number") {
      this.fail(openError(WHAT, path.text, file));
      return false;
    }
    this.#file = file;
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) if (!this.#write(file, bytes)) return false;
    return true;
  }

  override onData(stream: number, bytes: Uint8Array<ArrayBuffer>): void {
    if (stream !== INPUT || bytes.length === 0) return;
    if (this.#open() && this.#file !== null) this.#write(this.#file, bytes);
    else if (!this.isOver) this.#early.push(bytes.slice());
  }

  override onEnd(stream: number): void {
    if (stream !== INPUT) return;
    this.#hasEnded = true;
    this.goOn();
  }

  /** Writes all bytes; false: the channel has failed. */
  #write(file: OpenFile, bytes: Uint8Array<ArrayBuffer>): boolean {
    if (hasPrivileges(file.inode)) removePrivileges(this.caller, file);
    const address = addressOf(bytes);
    for (let done = 0; done < bytes.length;) {
      const n = file.write(this.#cursor.set(address + done, bytes.length - done), file.pos);
      if (n <= 0) {
        this.fail(callError(WHAT, this.#path.text, n < 0 ? n : EIO));
        return false;
      }
      if (!file.isAppending) file.pos += n;
      done += n;
    }
    notifyFile(file, IN_MODIFY);
    this.#bytes += bytes.length;
    this.port.grant(INPUT, bytes.length);
    return true;
  }

  protected override release(): void {
    this.#file?.drop();
    this.#file = null;
    this.#early = [];
  }
}
