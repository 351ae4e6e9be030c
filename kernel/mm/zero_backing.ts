/**
 * The backing that mmap(2) of /dev/zero gets. mmap.ts replaces it by private anonymous memory, or
 * by shared anonymous memory for MAP_SHARED, so no page of it is ever mapped.
 */

import { EFAULT } from "../../ffi/abi/errno.ts";
import { Backing, type FileIdentity } from "./backing.ts";

export class ZeroBacking extends Backing {
  readonly inode: FileIdentity;
  readonly platformFile = -1;
  readonly hostFd = -1;

  constructor(inode: FileIdentity) {
    super();
    this.inode = inode;
  }

  describe(): string {
    return "/dev/zero";
  }
  size(): number {
    return Infinity;
  }
  frame(_offset: number, _write: boolean): number {
    return -EFAULT;
  }
  readInto(_hostAddr: number, _offset: number, _len: number): number {
    return 0;
  }
  hold(): void {}
  drop(): void {}
}
