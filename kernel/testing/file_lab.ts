/** Files for unit tests of tasks: a tmpfs as the root, and callers in it. */

import type { Account } from "../core/account.ts";
import { TmpfsFs } from "../fs/tmpfs/tmpfs.ts";
import { FdTable } from "../vfs/fd_table.ts";
import { FsContext } from "../vfs/fs_context.ts";
import { MountNamespace } from "../vfs/mounts.ts";
import { Vfs } from "../vfs/vfs.ts";
import type { MemoryLab } from "./memory_lab.ts";

export class FileLab {
  readonly vfs: Vfs;
  readonly tmpfs: TmpfsFs;
  readonly namespace: MountNamespace;

  constructor(account: Account, lab: MemoryLab) {
    this.vfs = new Vfs(lab.host);
    const root = TmpfsFs.fromOptions(account, lab.ctx.frames, this.vfs, "size=16m,mode=755");
    if (typeof root === "number") throw new Error("no tmpfs");
    this.tmpfs = root;
    this.namespace = MountNamespace.of(account, this.vfs, root, 0, "root");
  }

  /** Makes an empty descriptor table, and a working directory at the root. */
  newCaller(account: Account): { files: FdTable; fs: FsContext } {
    const root = this.namespace.rootPath();
    return { files: new FdTable(account), fs: new FsContext(this.namespace, root, root, 0o22) };
  }
}
