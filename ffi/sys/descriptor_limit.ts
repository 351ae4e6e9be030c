/** The descriptor limit of this process (getrlimit(2)). */

import { Rlimit, RLIMIT_NOFILE } from "../abi/resource.ts";
import { SYS_prlimit64 } from "../abi/syscall_numbers.ts";
import { scratch } from "./cstring.ts";
import { syscall } from "./native.ts";

/** The default limit, used when the call fails. */
const LEAST = 1024;

/** Greatest number of descriptors of this process: RLIMIT_NOFILE. */
export function descriptorLimit(): number {
  const r = syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, scratch.area(0));
  return r < 0 ? LEAST : scratch.dv.getUint32(scratch.areaOffset(0) + Rlimit.at.cur, true);
}
