/**
 * File systems whose files are made when they are read: /proc and /sys. This folder has what they share: inodes with
 * times and owners, directories with fixed names, text files, links. What the texts say is procfs's and sysfs's affair.
 */

import type { Host } from "../../core/host.ts";
import { FileSystem, type StatFs } from "../../vfs/inode.ts";

/** Where inode numbers of fixed entries begin (PROC_DYNAMIC_FIRST of Linux). */
const FIRST_INO = 0xf0000000;

export abstract class GeneratedFs extends FileSystem {
  readonly host: Host;
  /** statfs(2) f_type. */
  abstract readonly magic: number;
  /** What open(O_CREAT) of a new name gives, and what mkdir, mknod and symlink give. */
  abstract readonly createError: number;
  abstract readonly makeError: number;
  /** st_size of regular files, and st_blksize. */
  readonly fileSize: number = 0;
  readonly fileBlockSize: number = 1024;
  private lastIno: number = FIRST_INO;

  constructor(host: Host) {
    super();
    this.host = host;
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
