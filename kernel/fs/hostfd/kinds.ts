/** The kinds of host descriptors: a pipe or socket, a terminal, or a file with a position. */

import { SEEK_CUR } from "../../../ffi/abi/fs.ts";
import { TCGETS } from "../../../ffi/abi/ioctl.ts";
import type { Host } from "../../core/host.ts";

export const STREAM = 0, TERMINAL = 1, REGULAR = 2;

/** @param scratch the host address of a page */
export function kindOf(host: Host, scratch: number, fd: number): number {
  if (host.ioctl(fd, TCGETS, scratch) >= 0) return TERMINAL;
  return host.lseek(fd, 0, SEEK_CUR) >= 0 ? REGULAR : STREAM;
}
