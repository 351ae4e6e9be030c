/** Where containers are kept unless `--root` says it: as runc does, by who asks. */

import { SYS_geteuid } from "../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { UserError } from "../user_error.ts";

const NAME = "dvisor";

/** @param rootless "auto", or what the caller says about it @throws UserError if there is no place */
export function defaultRoot(rootless: boolean | "auto"): string {
  const isRoot = syscall(SYS_geteuid) === 0;
  const runtimeDir = Deno.env.get("XDG_RUNTIME_DIR") ?? "";
  if (rootless === true || rootless === "auto" && !isRoot) {
    if (runtimeDir !== "") return `${runtimeDir}/${NAME}`;
    throw new UserError("XDG_RUNTIME_DIR is not set: say --root DIR");
  }
  return `/run/${NAME}`;
}
