/**
 * An open file over a host descriptor. The descriptor may be blocking, and the program that started
 * the sandbox shares it, so its flags are not changed: streams and terminals are polled first, and
 * written in pieces that do not block after a positive poll. Regular files are read and written at
 * the descriptor's own position, which the starter continues to use.
 *
 * DIFFERS: bytes that another process of the host takes between poll and read make the sandbox
 * wait.
 */

import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRNORM,
} from "../../../ffi/abi/poll.ts";
import type { Account } from "../../core/account.ts";
import { EAGAIN, EINVAL, EIO, ENOTTY, EPIPE } from "../../../ffi/abi/errno.ts";
import { SEEK_CUR, SEEK_SET } from "../../../ffi/abi/fs.ts";
import { FIONREAD, TCGETS, TIOCGWINSZ } from "../../../ffi/abi/ioctl.ts";
import { Termios, Winsize } from "../../../ffi/abi/termios.ts";
import { copyToBuffer } from "../../../ffi/mem/native_memory.ts";
import type { WaitQueue } from "../../core/wait.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import type { HostFdInode } from "./host_inode.ts";
import { REGULAR, STREAM, TERMINAL } from "./kinds.ts";

/** The most struct iovec of a page, and the most bytes of one call on a regular file. */
const MAX_SEGMENTS = 256, MAX_BYTES = 1 << 30;
/** The bytes that a writable pipe takes without blocking (PIPE_BUF); a terminal takes fewer. */
const PIPE_PIECE = 4096, TERMINAL_PIECE = 512;
const READABLE = POLLIN | POLLRDNORM | POLLHUP | POLLERR | POLLRDHUP;
const WRITABLE = POLLOUT | POLLWRNORM | POLLERR | POLLHUP;

export class HostFile extends OpenFile {
  override readonly inode: HostFdInode;
  /**
   * It is the file that the sandbox was started with, which shares its position with the host; a
   * reopened file has its own.
   */
  private readonly isGiven: boolean;
  /** The last known position of the host's descriptor. */
  private hostPos: number = 0;

  constructor(account: Account, inode: HostFdInode, flags: number, isGiven: boolean) {
    super(account, flags);
    this.inode = inode;
    this.isGiven = isGiven;
    inode.files.add(this);
  }

  /** Sets the position of a regular file to the starter's. */
  startAt(pos: number): void {
    this.pos = this.hostPos = pos;
  }

  /**
   * The inode got the descriptor of a new start (a restore). Of a regular file the position is
   * kept, if the new one reaches so far.
   */
  onConnected(wasRegular: boolean): void {
    const { fd, kind, fs: { host } } = this.inode;
    if (kind !== REGULAR) return;
    if (wasRegular && this.pos <= host.fileSize(fd)) this.hostPos = -1;
    else this.startAt(Math.max(0, host.lseek(fd, 0, SEEK_CUR)));
  }

  override get canDirect(): boolean {
    return true;
  }
  override get canSignal(): boolean {
    return true;
  }
  override get isSeekable(): boolean {
    return this.inode.kind === REGULAR;
  }
  override get writesAll(): boolean {
    return this.inode.kind !== REGULAR;
  }

  override get readsNow(): boolean {
    return true;
  }
  override get writesNow(): boolean {
    return this.inode.kind !== REGULAR;
  }

  override read(io: IoCursor, offset: number): number {
    const { inode } = this;
    if (inode.fd < 0 || io.remaining === 0) return 0;
    if (inode.kind === REGULAR) return this.transferAt(io, offset, false);
    if ((inode.readyEvents(READABLE) & READABLE) === 0) return -EAGAIN;
    const n = this.transfer(io, -1, MAX_BYTES, false);
    if (n === -EAGAIN) inode.armEvents(READABLE);
    return n;
  }

  override write(io: IoCursor, offset: number): number {
    const { inode } = this;
    if (inode.fd < 0) return inode.kind === STREAM ? -EPIPE : -EIO;
    if (io.remaining === 0) return 0;
    if (inode.kind === REGULAR) return this.transferAt(io, offset, true);
    const piece = inode.kind === TERMINAL ? TERMINAL_PIECE : PIPE_PIECE;
    let total = 0;
    while (io.remaining > 0) {
      if ((inode.readyEvents(WRITABLE) & WRITABLE) === 0) break;
      const n = this.transfer(io, -1, piece, true);
      if (n === -EAGAIN) inode.armEvents(WRITABLE);
      if (n < 0) return total > 0 ? total : n;
      total += n;
    }
    return total > 0 ? total : -EAGAIN;
  }

  /** Reads or writes a regular file at the shared position, or at its own. */
  private transferAt(io: IoCursor, offset: number, isWrite: boolean): number {
    const { inode } = this, { host } = inode.fs;
    let at = offset;
    if (this.isGiven) {
      if (this.hostPos !== offset) {
        const r = host.lseek(inode.fd, offset, SEEK_SET);
        if (r < 0) return r;
        this.hostPos = offset;
      }
      at = -1;
    }
    const n = this.transfer(io, at, MAX_BYTES, isWrite);
    if (n > 0) {
      this.hostPos = offset + n;
      if (isWrite && this.isAppending) this.pos = offset + n;
    }
    return n;
  }

  private transfer(io: IoCursor, offset: number, max: number, isWrite: boolean): number {
    const { inode } = this, { host, scratch } = inode.fs;
    const segments = io.hostSegments(!isWrite, scratch, MAX_SEGMENTS, Math.min(max, io.remaining));
    if (segments <= 0) return segments;
    const n = isWrite
      ? host.pwritev(inode.fd, scratch, segments, offset)
      : host.preadv(inode.fd, scratch, segments, offset);
    if (n > 0) io.advance(n);
    return n;
  }

  override get waitQueue(): WaitQueue | null {
    return this.inode.kind === REGULAR ? null : this.inode.queue;
  }

  override poll(): number {
    const { inode } = this;
    if (inode.fd < 0) return POLLERR | POLLHUP;
    // A regular file is always ready, whatever its access mode.
    if (inode.kind === REGULAR) return super.poll();
    let events = POLLPRI;
    if (this.canRead) events |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (this.canWrite) events |= POLLOUT | POLLWRNORM;
    return inode.readyEvents(events);
  }

  /** The ioctls of isatty(3) and of the window size; all others need a terminal of the sandbox. */
  override ioctl(request: number, arg: number, user: UserMemory): number {
    if (this.inode.kind === REGULAR) return -ENOTTY;
    if (this.inode.fd < 0) return -EIO;
    if (request === FIONREAD) return this.passIoctl(request, arg, user, 4);
    if (this.inode.kind !== TERMINAL) return -ENOTTY;
    if (request === TCGETS) return this.passIoctl(request, arg, user, Termios.size);
    return request === TIOCGWINSZ ? this.passIoctl(request, arg, user, Winsize.size) : -ENOTTY;
  }

  private passIoctl(request: number, arg: number, user: UserMemory, len: number): number {
    const { host, scratch } = this.inode.fs;
    const r = host.ioctl(this.inode.fd, request, scratch);
    if (r < 0) return r;
    copyToBuffer(answer, 0, scratch, len);
    return user.copyOut(arg, answer, 0, len);
  }

  override seek(offset: number, whence: number): number {
    const r = this.inode.fs.host.lseek(this.inode.fd, offset, whence);
    if (r >= 0) this.hostPos = r;
    return r;
  }
  override truncate(size: number): number {
    return this.inode.kind === REGULAR
      ? this.inode.fs.host.ftruncate(this.inode.fd, size)
      : -EINVAL;
  }
  override fallocate(mode: number, offset: number, len: number): number {
    return this.inode.fs.host.fallocate(this.inode.fd, mode, offset, len);
  }
  override fsync(dataOnly: boolean): number {
    return this.inode.kind === REGULAR
      ? this.inode.fs.host.fsync(this.inode.fd, dataOnly)
      : -EINVAL;
  }

  protected override release(): void {
    this.inode.removeFile(this);
  }

  override describe(): string {
    const { kind, ino } = this.inode;
    return kind === TERMINAL
      ? "/dev/console"
      : kind === REGULAR
      ? `host:[${ino}]`
      : `pipe:[${ino}]`;
  }
}

const answer = new Uint8Array(64);
