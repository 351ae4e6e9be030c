/**
 * /proc/PID/map_files: a link for each area that maps a file, named by its addresses
 * (proc_pid_map_files(5)).
 *
 * DIFFERS: links to shared memory without a name lead nowhere.
 */

import { PAGE_SIZE, PROT_WRITE } from "../../../ffi/abi/mman.ts";
import { CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import { EACCES, ENOENT, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import { S_IFLNK } from "../../../ffi/abi/stat.ts";
import { hasCap } from "../../cred/credentials.ts";
import type { Vma } from "../../mm/vma.ts";
import { Dentry, Path } from "../../vfs/dentry.ts";
import { Inode } from "../../vfs/inode.ts";
import { FIRST_OFFSET, type Listed } from "../../fs/generated/generated_dir.ts";
import type { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { MagicLink } from "./magic_link.ts";
import { TaskBelow } from "./task_below.ts";
import { AREA_MAP_FILES, type TaskRef } from "./task_ref.ts";

/** LIMIT: areas whose links have inode numbers of their own. */
const NUMBERS = 2 ** 21;

export class MapFilesDir extends TaskBelow {
  /** The areas that map files, or -errno. */
  private areas(): readonly Vma[] | number {
    const task = this.ref.get();
    if (task === null) return -ESRCH;
    if (task.mm === null) return [];
    if (!this.ref.mayReadMemory(task)) return -EACCES;
    return task.mm.vmas.list.filter((vma) => vma.backing !== null);
  }
  private inoOf(vma: Vma): number {
    return this.ref.ino(AREA_MAP_FILES, vma.start / PAGE_SIZE % NUMBERS);
  }

  override lookup(name: string): Inode | number {
    const areas = this.areas();
    if (typeof areas === "number") return areas;
    const wanted = name.toLowerCase(), vma = areas.find((one) => nameOf(one) === wanted);
    if (vma === undefined) return -ENOENT;
    return new MapFileLink(this.generated, this.ref, this.inoOf(vma), vma);
  }

  override list(): readonly Listed[] | number {
    const areas = this.areas();
    if (typeof areas === "number") return areas === -ESRCH ? -ENOENT : areas;
    return areas.map((vma, i) => ({
      name: nameOf(vma),
      ino: this.inoOf(vma),
      type: S_IFLNK >> 12,
      offset: FIRST_OFFSET + i,
    }));
  }
}

function nameOf({ start, end }: Vma): string {
  return `${start.toString(16)}-${end.toString(16)}`;
}

export class MapFileLink extends MagicLink {
  private readonly start: number;

  constructor(fs: GeneratedFs, ref: TaskRef, ino: number, vma: Vma) {
    super(fs, ref, ino);
    this.start = vma.start;
    this.size = 64;
    // For private mappings the open mode of the file is not known.
    const isWritable = vma.isShared && (vma.maxProt & PROT_WRITE) !== 0;
    this.mode = S_IFLNK | (isWritable ? 0o600 : 0o400);
  }

  private findArea(): Vma | number {
    const task = this.inspected();
    if (typeof task === "number") return task;
    const vma = task.mm?.vmas.find(this.start) ?? null;
    return vma === null || vma.backing === null ? -ENOENT : vma;
  }

  override followMagic(): Path | number {
    const { source } = this.ref, caller = source.caller();
    if (caller === null || !hasCap(caller.cred, CAP_CHECKPOINT_RESTORE)) {
      if (caller === null || !hasCap(caller.cred, CAP_SYS_ADMIN)) return -EPERM;
    }
    const vma = this.findArea();
    if (typeof vma === "number") return vma;
    const backing = vma.backing!, inode = backing.shown ?? backing.inode, around = caller.fs;
    if (!(inode instanceof Inode) || around === null) return -ENOENT;
    const dentry = new Dentry(inode.fs, null, backing.describe(), inode);
    dentry.isUnlinked = true;
    dentry.releaseInode();
    return new Path(around.root.mount, dentry);
  }

  override readlink(): string | number {
    const vma = this.findArea();
    return typeof vma === "number" ? vma : vma.backing!.describe();
  }
}
