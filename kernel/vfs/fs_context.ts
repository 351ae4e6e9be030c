/**
 * The root directory, working directory, umask and mount namespace of a process (struct fs_struct),
 * shared by tasks with CLONE_FS. It pins its paths. A task is always in the mount namespace of its
 * root directory.
 */

import { dropPath, holdPath, type Path } from "./dentry.ts";
import type { MountNamespace } from "./mounts.ts";

export class FsContext {
  /** Tasks that share it. */
  refs: number = 1;
  /** Its place in the order of kcmp(2) (task/object_ranks.ts); 0: it was not compared yet. */
  rank: number = 0;
  /**
   * The only task that uses it is in execve(2): no further process may share it (check_unsafe_exec
   * of Linux).
   */
  isInExec: boolean = false;
  umask: number;
  namespace: MountNamespace;
  private rootPath: Path;
  private cwdPath: Path;

  constructor(namespace: MountNamespace, root: Path, cwd: Path, umask: number) {
    this.namespace = namespace.hold();
    this.rootPath = holdPath(root);
    this.cwdPath = holdPath(cwd);
    this.umask = umask;
  }

  get root(): Path {
    return this.rootPath;
  }
  get cwd(): Path {
    return this.cwdPath;
  }

  setRoot(path: Path): void {
    holdPath(path);
    dropPath(this.rootPath);
    this.rootPath = path;
  }

  setCwd(path: Path): void {
    holdPath(path);
    dropPath(this.cwdPath);
    this.cwdPath = path;
  }

  /** setns(2), unshare(CLONE_NEWNS): changes to another namespace, with paths in it. */
  enter(namespace: MountNamespace, root: Path, cwd: Path): void {
    const old = this.namespace;
    this.namespace = namespace.hold();
    this.setRoot(root);
    this.setCwd(cwd);
    old.drop();
  }

  /** A separate copy (fork without CLONE_FS, unshare). */
  copy(): FsContext {
    return new FsContext(this.namespace, this.rootPath, this.cwdPath, this.umask);
  }

  hold(): this {
    this.refs++;
    return this;
  }

  drop(): void {
    if (--this.refs > 0) return;
    dropPath(this.rootPath);
    dropPath(this.cwdPath);
    this.namespace.drop();
  }
}
