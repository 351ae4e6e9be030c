/**
 * Installs the Gofer's filter on every thread at once. Neighbour: seccomp_rules.ts has the allowed
 * calls.
 */

import { PR_SET_NO_NEW_PRIVS } from "../../ffi/abi/prctl.ts";
import { SYS_prctl } from "../../ffi/abi/syscall_numbers.ts";
import { assembleCallFilter } from "../../ffi/asm/call_filter.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { installCallFilter } from "../../ffi/sys/seccomp.ts";
import { type Confined, seccompRules } from "./seccomp_rules.ts";

/** Installs it for good. Returns "" or the reason why the host refused. */
export function installFilter(own: Confined): string {
  const nnp = syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (nnp < 0) return `no_new_privs: ${errnoName(nnp)}`;
  return installCallFilter(assembleCallFilter(seccompRules(own))) ?? "";
}
