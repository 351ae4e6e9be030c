/**
 * The master of a pseudoterminal as an open file (ptmx(4)): a terminal emulator, sshd or the host's
 * console has it open. Opening ptmx makes it (openers.ts). The kernel's console (kernel/console.ts)
 * uses the same object for a terminal of the host, by the methods with arrays.
 */

import type { Account } from "../../core/account.ts";
import { EFAULT, EINVAL, EIO, EMFILE } from "../../../ffi/abi/errno.ts";
import { O_CLOEXEC } from "../../../ffi/abi/fcntl.ts";
import * as I from "../../../ffi/abi/ioctl.ts";
import { SIGINT, SIGQUIT, SIGTSTP } from "../../../ffi/abi/signal.ts";
import type { WaitQueue } from "../../core/wait.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import type { Caller } from "../../vfs/caller.ts";
import { type Mount, Path } from "../../vfs/dentry.ts";
import { rootDentryOf } from "../../vfs/dentry_cache.ts";
import type { Inode } from "../../vfs/inode.ts";
import { openPathDirectly } from "../../vfs/open.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import type { SlaveInode } from "./inodes.ts";
import { TerminalFile } from "./terminal_file.ts";
import { resize, terminalIoctl } from "./terminal_ioctl.ts";

export class MasterFile extends TerminalFile {
  override readonly isMaster = true;
  /** The slave's inode, and the mount of the devpts that the master was opened in. */
  readonly slave: SlaveInode;
  private readonly mount: Mount;

  constructor(account: Account, inode: Inode, flags: number, slave: SlaveInode, mount: Mount) {
    super(account, inode, flags, slave.terminal, slave.fs.host);
    this.slave = slave;
    this.mount = mount;
  }

  override fdinfo(): string {
    return `tty-index:\t${this.slave.terminal.index}\n`;
  }

  override read(io: IoCursor, _offset: number): number {
    return this.terminal.readOutput(io);
  }
  override write(io: IoCursor, _offset: number): number {
    return this.terminal.writeInput(io);
  }
  override get isSlow(): boolean {
    return true;
  }
  override get waitQueue(): WaitQueue {
    return this.terminal.masterQueue;
  }
  override poll(): number {
    return this.terminal.pollMaster();
  }

  override ioctl(request: number, arg: number, user: UserMemory): number {
    const { terminal } = this;
    switch (request) {
      case I.TIOCGPTN:
        return user.store32(arg, terminal.index);
      case I.TIOCSPTLCK: {
        const value = user.load32(arg);
        if (value < 0) return -EFAULT;
        terminal.isLocked = value !== 0;
        return 0;
      }
      case I.TIOCGPTLCK:
        return user.store32(arg, terminal.isLocked ? 1 : 0);
      case I.TIOCPKT: {
        const value = user.load32(arg);
        if (value < 0) return -EFAULT;
        if (value !== 0 && !terminal.isPacket) terminal.packetStatus = 0;
        terminal.isPacket = value !== 0;
        return 0;
      }
      case I.TIOCGPKT:
        return user.store32(arg, terminal.isPacket ? 1 : 0);
      case I.TIOCSIG:
        if (arg !== SIGINT && arg !== SIGQUIT && arg !== SIGTSTP) return -EINVAL;
        terminal.onSignalCharacter(arg, false);
        return 0;
      case I.TIOCGPTPEER:
        return this.installPeer(arg);
      default:
        return terminalIoctl(this, request, arg, user);
    }
  }

  /** TIOCGPTPEER: opens the slave for the caller, whatever is mounted over its name. */
  private installPeer(flags: number): number {
    const { hooks } = this.terminal, caller = hooks.caller();
    if (caller === null) return -EIO;
    const file = this.openSlave(caller, flags);
    if (typeof file === "number") return file;
    const fd = caller.files.install(file, (flags & O_CLOEXEC) !== 0, hooks.fdLimit());
    if (fd >= 0) return fd;
    file.drop();
    return -EMFILE;
  }

  /**
   * Opens the slave through the mount that the master was opened in. A new description, or -errno.
   */
  openSlave(caller: Caller, flags: number): OpenFile | number {
    const root = rootDentryOf(this.slave.fs);
    const dentry = caller.fs.namespace.vfs.dentries.lookup(root, `${this.terminal.index}`);
    if (typeof dentry === "number") return dentry;
    return openPathDirectly(caller, new Path(this.mount, dentry), flags);
  }

  /**
   * For the host's console: takes `count` bytes of `src` as typed input; returns how many had room.
   * `waitQueue` is woken when there is more room.
   */
  type(src: Uint8Array, count: number): number {
    const n = Math.min(count, this.terminal.inputRoom);
    if (n > 0) this.terminal.typeInput(src, n);
    return n;
  }

  /**
   * For the host's console: reads output into `dst`. 0: nothing now; -EIO: no slave is open any
   * more.
   */
  fetch(dst: Uint8Array): number {
    return this.terminal.fetchOutput(dst);
  }

  /** For the host's console: sets the window size. */
  resize(rows: number, columns: number): void {
    resize(this.terminal, rows, columns, 0, 0);
  }

  protected override release(): void {
    this.terminal.masterClosed();
  }
  override describe(): string {
    return "/dev/ptmx";
  }
}
