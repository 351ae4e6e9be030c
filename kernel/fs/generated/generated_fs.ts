/**
 * The base class of file systems whose files are generated when they are read: proc, sysfs, cgroup.
 * This folder has what they share: inodes with times and owners, directories with fixed names, text
 * files, links. The texts come from the file systems themselves.
 */

import type { Host } from "../../core/host.ts";
import { FileSystem, type StatFs } from "../../vfs/inode.ts";
import type { Vfs } from "../../vfs/vfs.ts";

/** The first inode number of fixed entries (PROC_DYNAMIC_FIRST of Linux). */
const FIRST_INO = 0xf0000000;

export abstract class GeneratedFs extends FileSystem {
  readonly host: Host;
  /** statfs(2) f_type. */
  abstract readonly magic: number;
  /** The error of open(O_CREAT) for a new name, and that of mkdir, mknod and symlink. */
  abstract readonly createError: number;
  abstract readonly makeError: number;
  /** The st_size of regular files, and their st_blksize. */
  readonly fileSize: number = 0;
  readonly fileBlockSize: number = 1024;
  private lastIno: number = FIRST_INO;

  constructor(vfs: Vfs) {
    super(vfs.devices);
    this.host = vfs.host;
  }

  nextIno(): number {
    return this.lastIno++;
  }

  override statfs(out: StatFs): number {
    out.type = this.magic;
    out.blockSize = 4096;
    out.nameMax = 255;
    return 0;
  }
}
