/**
 * HOME of a container's process: from the container's /etc/passwd where the environment has none,
 * as with runc.
 */

import type { SandboxKernel } from "../../../kernel/kernel.ts";
import type { Caller } from "../../../kernel/vfs/caller.ts";
import { type AccountFile, PASSWD, readAccounts } from "./account_files.ts";

const DEFAULT_HOME = "/";
/** LIMIT: lines with the user's id that have no home. */
const LINES_MAX = 16;

/** The environment with a HOME. Byte strings. */
export function withHome(
  kernel: SandboxKernel,
  caller: Caller,
  env: readonly string[],
  uid: number,
): readonly string[] {
  if (env.some((entry) => entry.startsWith("HOME=") && entry !== "HOME=")) return env;
  const home = homeIn(readAccounts(kernel, caller, PASSWD), uid);
  return [...env.filter((entry) => entry !== "HOME="), `HOME=${home}`];
}

/** The home directory of a user in a passwd(5) file; "/" for an unknown user. */
export function homeIn(passwd: AccountFile, uid: number): string {
  const id = String(uid);
  let line = passwd.lineWith(2, id);
  for (let left = LINES_MAX; line >= 0 && left > 0; left--) {
    const home = passwd.field(line, 5);
    // No string of an environment has a NUL.
    if (home !== "" && !home.includes("\0")) return home;
    line = passwd.lineWith(2, id, passwd.after(line));
  }
  return DEFAULT_HOME;
}
