/**
 * For tests that compare an overlay with a plain file system: the directories and files that both
 * start with.
 */

import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { rootCredentials } from "../../cred/credentials.ts";
import { Random } from "../../vfs/exerciser_testing.ts";
import { FdTable } from "../../vfs/fd_table.ts";
import type { FileDriver } from "../../vfs/file_driver_testing.ts";
import { FsContext } from "../../vfs/fs_context.ts";
import type { MountNamespace } from "../../vfs/mounts.ts";
import { findAt } from "../../vfs/status.ts";
import { TestCaller } from "../../vfs/vfs_testing.ts";

export const DIRS = ["t1", "t1/t2", "t1/t2/t3", "t1/t2/t3/t4"];

export function callerOn(namespace: MountNamespace): TestCaller {
  const at = namespace.rootPath();
  const fs = new FsContext(namespace, at, at, 0o022);
  return new TestCaller(new FdTable(TEST_ACCOUNT), fs, rootCredentials(), TEST_ACCOUNT);
}

export function enterDeepDirectory(c: TestCaller): void {
  const cwd = findAt(c, AT_FDCWD, "/t1/t2/t3/t4", 0);
  if (typeof cwd === "number") throw new Error("no working directory");
  c.fs.setCwd(cwd);
}

/**
 * Makes the same tree in every driver before the exercise: half of it ends up in the lower layer.
 */
export function populate(d: FileDriver, seed: number): void {
  const r = new Random(seed), names = ["a", "b", "c", "d", "e"];
  for (let i = 0; i < 60; i++) {
    const path = [r.pick(names), r.pick(names), r.pick(names)].slice(0, 1 + r.below(3)).join("/");
    switch (r.below(6)) {
      case 0:
      case 1:
        d.mkdir(path, r.pick([0o755, 0o777, 0o700]));
        break;
      case 2:
        d.symlink(r.pick(names), path);
        break;
      case 3:
        d.link(path, `${r.pick(names)}/${r.pick(names)}`, 0);
        break;
      case 4:
        d.setxattr(path, "user.x", "lower", 0);
        break;
      default: {
        const h = d.open(path, 0o102, r.pick([0o644, 0o4755]));
        if (typeof h !== "number") break;
        d.pwrite(h, r.below(9000), "lower".repeat(r.below(2000)));
        d.close(h);
      }
    }
    d.chown(path, r.pick([0, 1000]), 0, 0x100);
  }
}
