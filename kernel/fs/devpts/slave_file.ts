/**
 * The slave side of a terminal as an open file: /dev/pts/N or /dev/tty. A read that has to wait
 * returns -EAGAIN; syscalls/io/terminal.ts limits the wait (VTIME) by `waitTime` and
 * `readAvailable`.
 */

import { POLLERR, POLLHUP } from "../../../ffi/abi/poll.ts";
import type { Account } from "../../core/account.ts";
import { EAGAIN, EIO, ENOTTY } from "../../../ffi/abi/errno.ts";
import { TIOCSPGRP } from "../../../ffi/abi/ioctl.ts";
import { SIGTTIN, SIGTTOU } from "../../../ffi/abi/signal.ts";
import { TOSTOP, VMIN, VTIME } from "../../../ffi/abi/termios.ts";
import type { Host } from "../../core/host.ts";
import type { WaitQueue } from "../../core/wait.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import type { Inode } from "../../vfs/inode.ts";
import { checkForeground } from "./job_control.ts";
import { READABLE, type Terminal, WRITABLE } from "./terminal.ts";
import { TerminalFile } from "./terminal_file.ts";
import { terminalIoctl } from "./terminal_ioctl.ts";

/** VTIME counts tenths of a second. */
const TENTH_NS = 100_000_000;

export class SlaveFile extends TerminalFile {
  override readonly isMaster = false;
  private readonly generation: number;
  /**
   * The last read found nothing and its call waits: a hang-up is an error for that call, and the
   * end of the file for later ones.
   */
  private isReadWaiting: boolean = false;

  constructor(account: Account, inode: Inode, flags: number, terminal: Terminal, host: Host) {
    super(account, inode, flags, terminal, host);
    this.generation = terminal.generation;
    terminal.slaveOpened();
  }

  get isHungUp(): boolean {
    return this.generation !== this.terminal.generation;
  }

  override read(io: IoCursor, _offset: number): number {
    if (this.isHungUp) return this.readHungUp();
    const { terminal } = this, { settings, line } = terminal;
    const r = checkForeground(terminal, SIGTTIN);
    if (r < 0) return r;
    if (io.remaining === 0) return 0;
    if (settings.isCanonical) return line.input.hasLine ? this.readReady(io) : this.wait();
    const min = settings.char(VMIN), { length } = line.input;
    if (length >= Math.min(Math.max(min, 1), io.remaining)) return this.readReady(io);
    if (min === 0 && settings.char(VTIME) === 0) return 0;
    return length > 0 && this.isNonblocking ? this.readReady(io) : this.wait();
  }

  private readHungUp(): number {
    if (!this.isReadWaiting) return 0;
    this.isReadWaiting = false;
    return -EIO;
  }

  private wait(): number {
    this.isReadWaiting = !this.isNonblocking;
    return -EAGAIN;
  }

  private readReady(io: IoCursor): number {
    this.isReadWaiting = false;
    this.touchRead();
    return this.terminal.readInput(io);
  }

  /** Ends a read that waits for more bytes: reads those that there are. */
  readAvailable(io: IoCursor): number {
    return this.terminal.line.input.length > 0 ? this.readReady(io) : 0;
  }

  /** The bytes that a waiting read could return now; 0 with ICANON. */
  get available(): number {
    return this.terminal.settings.isCanonical ? 0 : this.terminal.line.input.length;
  }

  /**
   * How long a read with `available` bytes may wait for the next one, ns: VTIME counts from the
   * start without VMIN, and from the last byte with it. Infinity: without limit.
   */
  get waitTime(): number {
    const { settings } = this.terminal, time = settings.char(VTIME);
    if (settings.isCanonical || time === 0) return Infinity;
    return settings.char(VMIN) === 0 || this.available > 0 ? time * TENTH_NS : Infinity;
  }

  override write(io: IoCursor, _offset: number): number {
    const { terminal } = this;
    if (this.isHungUp) return -EIO;
    if (terminal.settings.hasLocal(TOSTOP)) {
      const r = checkForeground(terminal, SIGTTOU);
      if (r < 0) return r;
    }
    this.touchWritten();
    return terminal.writeOutput(io);
  }

  override get waitQueue(): WaitQueue {
    return this.terminal.slaveQueue;
  }
  override poll(): number {
    return this.isHungUp ? READABLE | WRITABLE | POLLERR | POLLHUP : this.terminal.pollSlave();
  }

  override ioctl(request: number, arg: number, user: UserMemory): number {
    if (this.isHungUp) return request === TIOCSPGRP ? -ENOTTY : -EIO;
    return terminalIoctl(this, request, arg, user);
  }

  protected override release(): void {
    this.terminal.slaveClosed();
  }
  override describe(): string {
    return `/dev/pts/${this.terminal.index}`;
  }
}
