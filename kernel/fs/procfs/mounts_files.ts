/**
 * /proc/PID/mounts, mountinfo and mountstats. Poll tells of changes (proc_pid_mounts(5)). The files stay with the mount
 * namespace and root directory that the task had when they were opened.
 */

import { EINVAL, ENOENT, ENOMEM } from "../../../ffi/abi/errno.ts";
import { TEXT_MAX } from "../../core/quota.ts";
import type { WaitQueue } from "../../core/wait.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { type Dentry, dropPath, holdPath, Path } from "../../vfs/dentry.ts";
import { MountPlaces } from "../../vfs/mount_places.ts";
import { mountInfo, mountsText } from "../../vfs/mount_info.ts";
import type { MountNamespace } from "../../vfs/mounts.ts";
import { type OpenFile, POLLERR, POLLIN, POLLPRI, POLLRDNORM } from "../../vfs/open_file.ts";
import { escapeMountText } from "../../vfs/pathname.ts";
import type { GeneratedFs } from "../generated/generated_fs.ts";
import { TextFile, TextInode } from "../generated/text_inode.ts";
import type { TaskRef } from "./task_ref.ts";

export class MountsInode extends TextInode {
  private readonly ref: TaskRef;
  /** "mounts", "mountinfo" or "mountstats". */
  readonly name: string;

  constructor(fs: GeneratedFs, ref: TaskRef, ino: number, permissions: number, name: string) {
    super(fs, ino, permissions);
    this.ref = ref;
    this.name = name;
    ref.own(this);
  }

  protected override get isModeFixed(): boolean {
    return true;
  }
  override refresh(): number {
    this.ref.own(this);
    return 0;
  }

  override open(_dentry: Dentry, flags: number, _cred: Credentials): OpenFile | number {
    const task = this.ref.get();
    if (task === null) return -ENOENT;
    const { fs } = task;
    return fs === null ? -EINVAL : new MountsFile(this, flags, fs.namespace, fs.root);
  }

  /** Only through an open file is it known whose mounts are meant. */
  override render(): string {
    return "";
  }
}

class MountsFile extends TextFile {
  private readonly name: string;
  private readonly namespace: MountNamespace;
  private readonly root: Path;
  /** Changes that the last poll saw. */
  private seen: number;

  constructor(inode: MountsInode, flags: number, namespace: MountNamespace, root: Path) {
    super(inode, flags);
    this.name = inode.name;
    this.namespace = namespace.hold();
    this.root = holdPath(new Path(root.mount, root.dentry));
    this.seen = namespace.generation;
  }

  protected override render(): string | number {
    switch (this.name) {
      case "mountinfo":
        return mountInfo(this.namespace, this.root);
      case "mounts":
        return mountsText(this.namespace, this.root);
      default:
        return this.statistics();
    }
  }

  private statistics(): string | number {
    let text = "";
    const places = new MountPlaces(this.root);
    for (const m of this.namespace.mounts) {
      const at = places.of(m);
      if (at === null) continue;
      text += `device ${escapeMountText(m.source)} mounted on ${escapeMountText(at)} ` +
        `with fstype ${m.fs.type}\n`;
      if (text.length > TEXT_MAX) return -ENOMEM;
    }
    return text;
  }

  override poll(): number {
    if (this.name === "mountstats") return super.poll();
    const bits = POLLIN | POLLRDNORM;
    if (this.seen === this.namespace.generation) return bits;
    this.seen = this.namespace.generation;
    return bits | POLLERR | POLLPRI;
  }
  override get waitQueue(): WaitQueue | null {
    return this.name === "mountstats" ? null : this.namespace.changes;
  }

  protected override release(): void {
    super.release();
    dropPath(this.root);
    this.namespace.drop();
  }
}
