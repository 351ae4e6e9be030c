/**
 * The base class of the open files of both sides of a terminal: slave_file.ts and master_file.ts.
 * terminal_ioctl.ts has their ioctls.
 */

import type { Account } from "../../core/account.ts";
import type { Host } from "../../core/host.ts";
import type { Inode } from "../../vfs/inode.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import type { Terminal } from "./terminal.ts";

/** The step of a terminal's file times, s: finer times would show how fast a user types. */
const TIME_STEP = 8;

export abstract class TerminalFile extends OpenFile {
  override readonly inode: Inode;
  readonly terminal: Terminal;
  abstract readonly isMaster: boolean;
  private readonly host: Host;

  constructor(account: Account, inode: Inode, flags: number, terminal: Terminal, host: Host) {
    super(account, flags);
    this.inode = inode;
    this.terminal = terminal;
    this.host = host;
  }

  override get canSignal(): boolean {
    return true;
  }
  override get writesAll(): boolean {
    return true;
  }

  protected touchRead(): void {
    const sec = this.host.realtimeSec();
    if (sec - this.inode.atimeSec >= TIME_STEP) this.inode.atimeSec = sec - sec % TIME_STEP;
  }
  protected touchWritten(): void {
    const sec = this.host.realtimeSec();
    if (sec - this.inode.mtimeSec >= TIME_STEP) this.inode.mtimeSec = sec - sec % TIME_STEP;
  }
}
