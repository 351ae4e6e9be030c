/** Installs a descriptor for a file that a call just made. */

import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import type { Task } from "../../task/task.ts";
import type { OpenFile } from "../../vfs/open_file.ts";

/**
 * The lowest free descriptor for `file`, whose only reference goes to the table; -EMFILE, and the
 * file is released.
 */
export function installNew(t: Task, file: OpenFile, cloexec: boolean): number {
  const fd = t.files.install(file, cloexec, t.group.limits.get(RLIMIT_NOFILE));
  if (fd < 0) file.drop();
  return fd;
}
