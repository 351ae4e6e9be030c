/**
 * Text files that are generated when they are read. An open file generates its text at a read from
 * the start (or at the first read), and keeps it for the reads that follow.
 */

import { POLLERR, POLLPRI } from "../../../ffi/abi/poll.ts";
import type { Account } from "../../core/account.ts";
import { EAGAIN, EINVAL, ENOMEM } from "../../../ffi/abi/errno.ts";
import { S_IFREG } from "../../../ffi/abi/stat.ts";
import { bytesToString, stringToBytes } from "../../core/bytes.ts";
import { TEXT_BYTES } from "../../core/quota.ts";
import { WaitQueue } from "../../core/wait.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import type { GeneratedFs } from "./generated_fs.ts";
import { GeneratedInode } from "./generated_inode.ts";

/**
 * LIMIT: bytes that one write(2) takes; some files take no more than a page without its last byte.
 */
const MAX_WRITE = 4096;

/**
 * How the file polls. "never": poll(2) finds it always readable and writable, and epoll(7) refuses
 * it. "ready": epoll(7) accepts it too. "changed": moreover it reports a change until it is read
 * (kernfs of Linux).
 */
export type Polling = "never" | "ready" | "changed";

export abstract class TextInode extends GeneratedInode {
  constructor(fs: GeneratedFs, ino: number, permissions: number) {
    super(fs, ino, S_IFREG | permissions);
  }

  get polling(): Polling {
    return "never";
  }

  /** The present text (a byte string), or -errno; -EAGAIN: it takes another turn of the loop. */
  abstract render(): string | number;

  /**
   * The current task writes `text` at `offset`: the bytes taken, or -errno. A file for which the
   * opener's credentials count overrides TextFile.store instead.
   */
  store(_text: string, _offset: number): number {
    return -EINVAL;
  }

  override open(
    _dentry: Dentry,
    flags: number,
    _cred: Credentials,
    account: Account,
  ): OpenFile | number {
    return new TextFile(account, this, flags);
  }
}

export class TextFile extends OpenFile {
  readonly inode: TextInode;
  private bytes: Uint8Array<ArrayBuffer> | null = null;
  private queue: WaitQueue | null = null;

  constructor(account: Account, inode: TextInode, flags: number) {
    super(account, flags);
    this.inode = inode;
  }

  override get isSeekable(): boolean {
    return true;
  }
  /** Files of kernfs can be spliced to: those of sysfs and control groups. */
  override get takesSplice(): boolean {
    return this.inode.fs.type !== "proc";
  }

  /** The bytes for this reader, or -errno; -EAGAIN: it takes another turn of the loop. */
  protected makeBytes(): Uint8Array<ArrayBuffer> | number {
    const text = this.render();
    return typeof text === "number" ? text : stringToBytes(text);
  }

  /** The text for this reader; subclasses may use what they kept at the open. */
  protected render(): string | number {
    return this.inode.render();
  }

  /**
   * The current task writes: the bytes taken, or -errno. A file for which the opener's credentials
   * count (`this.cred`) overrides this: the writer may be a privileged program whose output was
   * redirected here.
   */
  protected store(text: string, offset: number): number {
    return this.inode.store(text, offset);
  }

  override read(io: IoCursor, offset: number): number {
    let bytes = this.bytes;
    if (bytes === null || offset === 0) {
      const made = this.makeBytes();
      this.needsTurn = made === -EAGAIN;
      if (typeof made === "number") return made;
      const had = this.bytes?.length ?? 0;
      if (!TEXT_BYTES.replace(had, made.length, this.account)) return -ENOMEM;
      bytes = this.bytes = made;
    }
    if (offset >= bytes.length || io.remaining === 0) return 0;
    return io.putBytes(bytes, offset, Math.min(io.remaining, bytes.length - offset));
  }

  protected override release(): void {
    TEXT_BYTES.give(this.bytes?.length ?? 0, this.account);
    this.bytes = null;
  }

  override poll(): number {
    const isNew = this.bytes === null && this.inode.polling === "changed";
    return isNew ? super.poll() | POLLPRI | POLLERR : super.poll();
  }
  /** A queue that is never woken, for epoll(7). */
  override get waitQueue(): WaitQueue | null {
    return this.inode.polling === "never" ? null : this.queue ??= new WaitQueue();
  }

  override write(io: IoCursor, offset: number): number {
    const buf = new Uint8Array(Math.min(io.remaining, MAX_WRITE));
    const n = io.takeBytes(buf, 0, buf.length);
    return n < 0 ? n : this.store(bytesToString(buf, 0, n), offset);
  }

  /** Succeeds, as truncate(2) by path does: pam_loginuid(8) truncates the file before it writes. */
  override truncate(_size: number): number {
    return 0;
  }
}
