/**
 * What /dev/zero gives to mmap: memory without a file behind it. The memory manager maps private anonymous memory,
 * or shared memory of its own for MAP_SHARED.
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
