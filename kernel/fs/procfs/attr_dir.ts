/**
 * /proc/PID/attr: attributes of security modules (proc_pid_attr(5)). The modules of this kernel have none, so that
 * reading and writing is EINVAL.
 */

import { EACCES, EINVAL, ENOENT, ESRCH } from "../../../ffi/abi/errno.ts";
import { S_IFREG } from "../../../ffi/abi/stat.ts";
import type { Inode } from "../../vfs/inode.ts";
import { FIRST_OFFSET, GeneratedDir, type Listed } from "../generated/generated_dir.ts";
import type { GeneratedFs } from "../generated/generated_fs.ts";
import { TextInode } from "../generated/text_inode.ts";
import { AREA_ATTR, AREA_THREAD_ATTR, type TaskRef } from "./task_ref.ts";

const FILES: readonly (readonly [string, number])[] = [
  ["current", 0o666],
  ["prev", 0o444],
  ["exec", 0o666],
  ["fscreate", 0o666],
  ["keycreate", 0o666],
  ["sockcreate", 0o666],
];

export class AttrDir extends GeneratedDir {
  private readonly ref: TaskRef;
  private readonly parent: GeneratedDir;

  constructor(fs: GeneratedFs, ref: TaskRef, parent: GeneratedDir, ino: number) {
    super(fs, ino, 0o555);
    this.ref = ref;
    this.parent = parent;
    ref.own(this);
  }

  protected override get isModeFixed(): boolean {
    return true;
  }
  override get parentIno(): number {
    return this.parent.ino;
  }
  override get dentriesAreStable(): boolean {
    return false;
  }
  override refresh(): number {
    this.ref.own(this);
    return 0;
  }

  private inoOf(index: number): number {
    return this.ref.ino(this.ref.isThread ? AREA_THREAD_ATTR : AREA_ATTR, index);
  }

  override lookup(name: string): Inode | number {
    const index = FILES.findIndex(([n]) => n === name);
    if (index < 0) return -ENOENT;
    if (this.ref.get() === null) return -ESRCH;
    return new AttrFile(this.generated, this.ref, this.inoOf(index), FILES[index]![1]);
  }

  override relookup(name: string, cached: Inode | null): Inode | number {
    if (cached === null) return this.lookup(name);
    return this.ref.own(cached) ? cached : -ESRCH;
  }

  override list(): readonly Listed[] | number {
    if (this.ref.get() === null) return -ENOENT;
    return FILES.map(([name], i) => ({
      name,
      ino: this.inoOf(i),
      type: S_IFREG >> 12,
      offset: FIRST_OFFSET + i,
    }));
  }
}

class AttrFile extends TextInode {
  private readonly ref: TaskRef;

  constructor(fs: GeneratedFs, ref: TaskRef, ino: number, permissions: number) {
    super(fs, ino, permissions);
    this.ref = ref;
    ref.own(this);
  }

  override render(): number {
    return this.ref.get() === null ? -ESRCH : -EINVAL;
  }

  /** Of oneself alone. */
  override store(_text: string, _offset: number): number {
    const task = this.ref.get();
    if (task === null) return -ESRCH;
    return this.ref.source.current()?.tgid === task.tgid ? -EINVAL : -EACCES;
  }
}
