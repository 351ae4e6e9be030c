/** /proc/PID/net, where /proc/net leads: the tables of the network (proc_pid_net(5)). There is one network. */

import { EINVAL, ENOENT } from "../../../ffi/abi/errno.ts";
import { S_IFREG } from "../../../ffi/abi/stat.ts";
import type { Inode } from "../../vfs/inode.ts";
import { FIRST_OFFSET, GeneratedDir, type Listed } from "../generated/generated_dir.ts";
import type { GeneratedFs } from "../generated/generated_fs.ts";
import { TextInode } from "../generated/text_inode.ts";
import type { ProcSource } from "./source.ts";
import { AREA_NET, type TaskRef } from "./task_ref.ts";

export class NetDir extends GeneratedDir {
  private readonly ref: TaskRef;
  private readonly parent: GeneratedDir;

  constructor(fs: GeneratedFs, ref: TaskRef, parent: GeneratedDir, ino: number) {
    super(fs, ino, 0o555);
    this.ref = ref;
    this.parent = parent;
  }

  override get parentIno(): number {
    return this.parent.ino;
  }
  override get dentriesAreStable(): boolean {
    return false;
  }

  /** Zombies have no network any more. */
  private get isGone(): boolean {
    const task = this.ref.get();
    return task === null || task.fs === null;
  }

  override lookup(name: string): Inode | number {
    const { source } = this.ref;
    if (this.isGone) return -EINVAL;
    const index = source.net.names().indexOf(name);
    if (index < 0) return -ENOENT;
    return new NetText(this.generated, this.ref.ino(AREA_NET, index), source, name);
  }

  override relookup(name: string, cached: Inode | null): Inode | number {
    if (cached === null) return this.lookup(name);
    return this.isGone ? -EINVAL : cached;
  }

  override list(): readonly Listed[] | number {
    if (this.isGone) return -EINVAL;
    return this.ref.source.net.names().map((name, i) => ({
      name,
      ino: this.ref.ino(AREA_NET, i),
      type: S_IFREG >> 12,
      offset: FIRST_OFFSET + i,
    }));
  }
}

class NetText extends TextInode {
  private readonly source: ProcSource;
  private readonly name: string;

  constructor(fs: GeneratedFs, ino: number, source: ProcSource, name: string) {
    super(fs, ino, 0o444);
    this.source = source;
    this.name = name;
  }

  override render(): string {
    return this.source.net.text(this.name);
  }
}
