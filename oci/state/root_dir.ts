/** The default of `--root`: the directory of containers, by the caller's user as with runc. */

import { SYS_geteuid } from "../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { UserError } from "../user_error.ts";

const NAME = "dvisor";

/**
 * @param rootless "auto", or the caller's `--rootless`
 * @throws UserError if there is no directory for it
 */
export function defaultRoot(rootless: boolean | "auto"): string {
  const isRoot = syscall(SYS_geteuid) === 0;
  const runtimeDir = Deno.env.get("XDG_RUNTIME_DIR") ?? "";
  const isRootless = rootless === "auto" ? !isRoot || isInUserNamespace() : rootless;
  if (isRootless && runtimeDir !== "") return `${runtimeDir}/${NAME}`;
  if (isRootless && !isRoot) throw new UserError("XDG_RUNTIME_DIR is not set: say --root DIR");
  return `/run/${NAME}`;
}

/** Whether this process is in a user namespace, where root is another user on the host. */
export function isInUserNamespace(): boolean {
  try {
    return !/^\s*0\s+0\s+4294967295\s*$/.test(Deno.readTextFileSync("/proc/self/uid_map"));
  } catch {
    return false;
  }
}
