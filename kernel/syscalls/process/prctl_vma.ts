/** PR_SET_VMA of prctl(2). */

import { EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import { PR_SET_VMA_ANON_NAME } from "../../../ffi/abi/prctl.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { nameAreas } from "../../mm/area_names.ts";
import type { Task } from "../../task/task.ts";

/** Bytes of a name, with the NUL. */
const MAX_NAME = 80;
/** Characters permitted in maps: printable, without a special meaning there. */
const NAME = /^[ -#%-Z^_a-~]*$/;

export function setArea(t: Task, a: SyscallArgs): number {
  if (a.u64(1) !== PR_SET_VMA_ANON_NAME) return -EINVAL;
  const at = a.u64(4), name = at === 0 ? "" : t.mm.cstring(at, MAX_NAME);
  if (typeof name === "number") return name === -EFAULT ? -EFAULT : -EINVAL;
  return NAME.test(name) ? nameAreas(t.mm, a.u64(2), a.u64(3), name) : -EINVAL;
}
