/**
 * The numbers and openers of the character devices. kernel/kernel.ts registers them; devtmpfs.ts
 * makes their nodes. devpts/openers.ts registers terminals, loop.ts loop devices.
 */

import { EPERM } from "../../../ffi/abi/errno.ts";
import { O_ACCMODE, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import type { Host } from "../../core/host.ts";
import type { Caller } from "../../vfs/caller.ts";
import type { Path } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import type { SpecialFiles, SpecialOpener } from "../../vfs/special_files.ts";
import {
  FullFile,
  KmsgFile,
  type LogSink,
  NullFile,
  PolledRandomFile,
  RandomFile,
  UserfaultDevice,
  ZeroFile,
} from "./memory_devices.ts";

/** The major number of the memory devices, and their minor numbers (admin-guide/devices.txt). */
export const MEM_MAJOR = 1;
export const NULL_MINOR = 3,
  ZERO_MINOR = 5,
  FULL_MINOR = 7,
  RANDOM_MINOR = 8,
  URANDOM_MINOR = 9,
  KMSG_MINOR = 11;
/**
 * The major number of miscellaneous devices, and the minor number of /dev/userfaultfd (numbers from
 * 256 on are assigned by each kernel).
 */
export const MISC_MAJOR = 10;
export const USERFAULTFD_MINOR = 257;

/** The major number of /dev/tty, /dev/console and /dev/ptmx, and their minor numbers. */
export const TTYAUX_MAJOR = 5;
export const TTY_MINOR = 0, CONSOLE_MINOR = 1, PTMX_MINOR = 2;

/** Registers the memory devices with a kernel's special files. */
export function registerMemoryDevices(special: SpecialFiles, host: Host, sink: LogSink): void {
  special.registerCharacter(MEM_MAJOR, NULL_MINOR, new NullOpener());
  special.registerCharacter(MEM_MAJOR, ZERO_MINOR, new ZeroOpener());
  special.registerCharacter(MEM_MAJOR, FULL_MINOR, new FullOpener());
  special.registerCharacter(MEM_MAJOR, RANDOM_MINOR, new RandomOpener(host, true));
  special.registerCharacter(MEM_MAJOR, URANDOM_MINOR, new RandomOpener(host, false));
  special.registerCharacter(MEM_MAJOR, KMSG_MINOR, new KmsgOpener(sink));
  special.registerCharacter(MISC_MAJOR, USERFAULTFD_MINOR, new UserfaultOpener());
}

export class NullOpener implements SpecialOpener {
  open(caller: Caller, _path: Path, inode: Inode, flags: number): OpenFile {
    return new NullFile(caller.account, inode, flags);
  }
}

export class ZeroOpener implements SpecialOpener {
  open(caller: Caller, _path: Path, inode: Inode, flags: number): OpenFile {
    return new ZeroFile(caller.account, inode, flags);
  }
}

export class UserfaultOpener implements SpecialOpener {
  open(caller: Caller, _path: Path, inode: Inode, flags: number): OpenFile {
    return new UserfaultDevice(caller.account, inode, flags);
  }
}

export class FullOpener implements SpecialOpener {
  open(caller: Caller, _path: Path, inode: Inode, flags: number): OpenFile {
    return new FullFile(caller.account, inode, flags);
  }
}

export class RandomOpener implements SpecialOpener {
  private readonly host: Host;
  private readonly isPolled: boolean;

  constructor(host: Host, isPolled: boolean) {
    this.host = host;
    this.isPolled = isPolled;
  }
  open(caller: Caller, _path: Path, inode: Inode, flags: number): OpenFile {
    const { host } = this;
    return this.isPolled
      ? new PolledRandomFile(caller.account, inode, flags, host)
      : new RandomFile(caller.account, inode, flags, host);
  }
}

/**
 * DIFFERS: no program may read the log. Linux refuses it to programs without CAP_SYSLOG
 * (dmesg_restrict).
 */
export class KmsgOpener implements SpecialOpener {
  private readonly sink: LogSink;

  constructor(sink: LogSink) {
    this.sink = sink;
  }
  open(caller: Caller, _path: Path, inode: Inode, flags: number): OpenFile | number {
    return (flags & O_ACCMODE) === O_WRONLY
      ? new KmsgFile(caller.account, inode, flags, this.sink)
      : -EPERM;
  }
}
