/**
 * What both sides of a terminal have in common as open files; ioctls are in terminal_ioctl.ts.
 * Neighbours: slave_file.ts, master_file.ts.
 */

import type { Host } from "../../core/host.ts";
import type { Inode } from "../../vfs/inode.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import type { Terminal } from "./terminal.ts";

/** Times of terminals are this coarse, s: they must not tell how fast somebody types. */
const TIME_STEP = 8;

export abstract class TerminalFile extends OpenFile {
  override readonly inode: Inode;
  readonly terminal: Terminal;
  abstract readonly isMaster: boolean;
  private readonly host: Host;

  constructor(inode: Inode, flags: number, terminal: Terminal, host: Host) {
    super(flags);
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
