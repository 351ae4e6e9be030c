/**
 * On whose behalf the VFS acts. A Task is a Caller; tests make their own. Openers of special files that need the
 * task itself look whether their caller is one.
 */

import type { Credentials } from "../cred/credentials.ts";
import type { FdTable } from "./fd_table.ts";
import type { FsContext } from "./fs_context.ts";

export interface Caller {
  readonly files: FdTable;
  readonly fs: FsContext;
  readonly cred: Credentials;
}
