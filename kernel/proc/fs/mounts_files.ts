/**
 * /proc/PID/mounts, mountinfo and mountstats; poll(2) reports changes (proc_pid_mounts(5)). A
 * descriptor stays with the mount namespace and the root directory of the task at open(2).
 */

import { POLLERR, POLLIN, POLLPRI, POLLRDNORM } from "../../../ffi/abi/poll.ts";
import type { Account } from "../../core/account.ts";
import { EINVAL, ENOENT } from "../../../ffi/abi/errno.ts";
import type { WaitQueue } from "../../core/wait.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { type Dentry, dropPath, holdPath, type Mount, Path } from "../../vfs/dentry.ts";
import { MountPaths } from "../../vfs/mount_paths.ts";
import { mountInfoRow, mountRow } from "../../vfs/mount_info.ts";
import type { MountNamespace } from "../../vfs/mounts.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { escapeMountText } from "../../vfs/pathname.ts";
import { SteppedTextFile, type TextSteps } from "../../fs/generated/stepped_text.ts";
import { OwnedText } from "./task_text.ts";

/** LIMIT: rows that one turn makes. */
const MOUNTS_A_TURN = 128;

/** `name` is "mounts", "mountinfo" or "mountstats". */
export class MountsInode extends OwnedText {
  override open(
    _dentry: Dentry,
    flags: number,
    _cred: Credentials,
    account: Account,
  ): OpenFile | number {
    const task = this.ref.get();
    if (task === null) return -ENOENT;
    const { fs } = task;
    return fs === null ? -EINVAL : new MountsFile(account, this, flags, fs.namespace, fs.root);
  }

  /** Only an open file has a task and so a text. */
  override render(): string {
    return "";
  }
}

/** Makes a row for each mount below the reader's root that existed at the start and still does. */
export class MountSteps implements TextSteps {
  text: string = "";
  private readonly name: string;
  private readonly namespace: MountNamespace;
  private readonly places: MountPaths;
  private readonly mounts: readonly Mount[];
  private at: number = 0;

  constructor(name: string, namespace: MountNamespace, root: Path) {
    this.name = name;
    this.namespace = namespace;
    this.places = new MountPaths(root);
    this.mounts = [...namespace.mounts];
  }

  step(): boolean {
    const end = Math.min(this.mounts.length, this.at + MOUNTS_A_TURN);
    for (; this.at < end; this.at++) {
      const mount = this.mounts[this.at]!;
      if (mount.namespace === this.namespace) this.text += this.row(mount);
    }
    return end < this.mounts.length;
  }

  private row(mount: Mount): string {
    if (this.name === "mountinfo") return mountInfoRow(mount, this.places);
    if (this.name === "mounts") return mountRow(mount, this.places);
    const at = this.places.pathOf(mount);
    if (at === null) return "";
    return `device ${escapeMountText(mount.source)} mounted on ${escapeMountText(at)} ` +
      `with fstype ${mount.fs.type}\n`;
  }
}

export class MountsFile extends SteppedTextFile {
  private readonly name: string;
  private readonly namespace: MountNamespace;
  private readonly root: Path;
  /** The number of changes at the last poll. */
  private seen: number;

  constructor(
    account: Account,
    inode: MountsInode,
    flags: number,
    namespace: MountNamespace,
    root: Path,
  ) {
    super(account, inode, flags);
    this.name = inode.name;
    this.namespace = namespace.hold();
    this.root = holdPath(new Path(root.mount, root.dentry));
    this.seen = namespace.generation;
  }

  protected override begin(): TextSteps {
    return new MountSteps(this.name, this.namespace, this.root);
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
