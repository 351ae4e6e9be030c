/**
 * The openers of terminals: ptmx makes a new terminal, /dev/pts/N and /dev/tty open another
 * description of one, /dev/console opens the terminal that the sandbox was started with (tty(4),
 * ptmx(4), console(4)). kernel/kernel.ts registers them with vfs/special_files.ts.
 */

import type { Account } from "../../core/account.ts";
import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import { EBUSY, EIO, ENODEV, ENOENT, ENXIO } from "../../../ffi/abi/errno.ts";
import { O_NOCTTY } from "../../../ffi/abi/fcntl.ts";
import type { Host } from "../../core/host.ts";
import type { Caller } from "../../vfs/caller.ts";
import { type Mount, Path } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { InodeOpener, type SpecialFiles, type SpecialOpener } from "../../vfs/special_files.ts";
import { CONSOLE_MINOR, PTMX_MINOR, TTY_MINOR, TTYAUX_MAJOR } from "../devfs/devices.ts";
import type { TerminalHooks } from "./hooks.ts";
import { DevptsRoot, SlaveInode } from "./inodes.ts";
import { acquireAtOpen } from "./job_control.ts";
import { MasterFile } from "./master_file.ts";
import { SlaveFile } from "./slave_file.ts";
import { Terminal } from "./terminal.ts";

/** The state of a sandbox's terminals besides its devpts mounts. */
export class Terminals {
  /** The terminal that /dev/console opens, or null. */
  console: Terminal | null = null;
}

/** Registers tty, console and ptmx with a kernel's special files. */
export function registerTerminals(
  special: SpecialFiles,
  host: Host,
  hooks: TerminalHooks,
): Terminals {
  const terminals = new Terminals();
  special.registerCharacter(TTYAUX_MAJOR, TTY_MINOR, new TtyOpener(host, hooks));
  special.registerCharacter(TTYAUX_MAJOR, CONSOLE_MINOR, new ConsoleOpener(host, terminals));
  special.registerCharacter(TTYAUX_MAJOR, PTMX_MINOR, new PtmxNodeOpener());
  return terminals;
}

/** Opens a slave, or returns -errno. */
function openSlave(
  terminal: Terminal,
  inode: Inode,
  flags: number,
  host: Host,
  account: Account,
): SlaveFile | number {
  if (!terminal.isMasterOpen) return -EIO;
  if (terminal.isExclusive && !terminal.hooks.isCapable(CAP_SYS_ADMIN)) return -EBUSY;
  return new SlaveFile(account, inode, flags, terminal, host);
}

export class SlaveOpener extends InodeOpener {
  private readonly host: Host;

  constructor(host: Host) {
    super();
    this.host = host;
  }
  override open(caller: Caller, _path: Path, inode: Inode, flags: number): OpenFile | number {
    if (!(inode instanceof SlaveInode) || inode.terminal.isLocked) return -EIO;
    const file = openSlave(inode.terminal, inode, flags, this.host, caller.account);
    if (typeof file === "number") return file;
    if ((flags & O_NOCTTY) === 0 && file.canRead) acquireAtOpen(inode.terminal);
    return file;
  }
}

/**
 * Makes a terminal in the devpts of `mount` and opens its master; -ENODEV if the mount has another
 * file system.
 */
function openMaster(
  caller: Caller,
  mount: Mount,
  inode: Inode,
  flags: number,
): OpenFile | number {
  const { root } = mount.fs;
  if (!(root instanceof DevptsRoot)) return -ENODEV;
  const slave = root.fs.allocate(caller.cred);
  if (typeof slave === "number") return slave;
  return new MasterFile(caller.account, inode, flags, slave, mount);
}

/** Opens the ptmx inside a devpts. */
export class PtmxOpener extends InodeOpener {
  override open(caller: Caller, path: Path, inode: Inode, flags: number): OpenFile | number {
    return openMaster(caller, path.mount, inode, flags);
  }
}

/** Opens a device node of ptmx elsewhere: the devpts is the mount on `pts` beside the node. */
export class PtmxNodeOpener implements SpecialOpener {
  open(caller: Caller, path: Path, inode: Inode, flags: number): OpenFile | number {
    const { namespace } = caller.fs;
    const dentry = namespace.vfs.dentries.lookup(path.dentry.parent, "pts");
    if (typeof dentry === "number") return dentry;
    if (dentry.inode === null) return -ENOENT;
    const top = namespace.topOf(new Path(path.mount, dentry));
    return openMaster(caller, top.mount, inode, flags);
  }
}

/** Opens /dev/tty: the caller's controlling terminal. */
export class TtyOpener implements SpecialOpener {
  private readonly host: Host;
  private readonly hooks: TerminalHooks;

  constructor(host: Host, hooks: TerminalHooks) {
    this.host = host;
    this.hooks = hooks;
  }
  open(caller: Caller, _path: Path, inode: Inode, flags: number): OpenFile | number {
    const terminal = this.hooks.callerTerminal();
    return terminal instanceof Terminal
      ? openSlave(terminal, inode, flags, this.host, caller.account)
      : -ENXIO;
  }
}

export class ConsoleOpener implements SpecialOpener {
  private readonly host: Host;
  private readonly terminals: Terminals;

  constructor(host: Host, terminals: Terminals) {
    this.host = host;
    this.terminals = terminals;
  }
  open(caller: Caller, _path: Path, inode: Inode, flags: number): OpenFile | number {
    const { console } = this.terminals;
    return console === null ? -ENODEV : openSlave(console, inode, flags, this.host, caller.account);
  }
}
