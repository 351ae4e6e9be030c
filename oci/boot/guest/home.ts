/**
 * HOME of a container's process: from the container's /etc/passwd where the environment has none,
 * as with runc.
 */

import type { SandboxKernel } from "../../../kernel/kernel.ts";
import type { Caller } from "../../../kernel/vfs/caller.ts";
import { accountLines, PASSWD } from "./account_files.ts";

const DEFAULT_HOME = "/";

/** The environment with a HOME. Byte strings. */
export function withHome(
  kernel: SandboxKernel,
  caller: Caller,
  env: readonly string[],
  uid: number,
): readonly string[] {
  if (env.some((entry) => entry.startsWith("HOME=") && entry !== "HOME=")) return env;
  const home = homeIn(accountLines(kernel, caller, PASSWD), uid);
  return [...env.filter((entry) => entry !== "HOME="), `HOME=${home}`];
}

/** The home directory of a user in the lines of a passwd(5) file; "/" for an unknown user. */
export function homeIn(passwd: readonly (readonly string[])[], uid: number): string {
  for (const [, , id, , , home] of passwd) {
    if (id !== String(uid) || home === undefined || home === "") continue;
    // No string of an environment has a NUL.
    if (!home.includes("\0")) return home;
  }
  return DEFAULT_HOME;
}
