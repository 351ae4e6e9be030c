/**
 * A descriptor of a detached mount (fsmount(2), open_tree(2)). If the mount is never attached, it
 * is destroyed with the descriptor.
 */

import type { Account } from "../../core/account.ts";
import type { Caller } from "../../vfs/caller.ts";
import { type Mount, Path } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { MountNamespace } from "../../vfs/mounts.ts";
import { PathFile } from "../../vfs/path_file.ts";

export class MountFile extends PathFile {
  readonly mount: Mount;
  private readonly home: MountNamespace;

  private constructor(
    account: Account,
    mount: Mount,
    flags: number,
    inode: Inode,
    home: MountNamespace,
  ) {
    super(account, flags, inode);
    this.mount = mount;
    this.home = home;
  }

  static open(
    { account, cred }: Caller,
    mount: Mount,
    flags: number,
    home: MountNamespace,
  ): MountFile {
    const { inode } = mount.root;
    if (inode === null) throw new Error("the root of a mount is there");
    const file = new MountFile(account, mount, flags, inode, home);
    file.attach(new Path(mount, mount.root), cred);
    return file;
  }

  protected override release(): void {
    if (isNowhere(this.mount)) this.home.abandonTree(this.mount);
  }
}

/** True if the mount was never attached. */
export function isNowhere(mount: Mount): boolean {
  return mount.namespace === null && mount.parent === null && !mount.isDetached;
}
