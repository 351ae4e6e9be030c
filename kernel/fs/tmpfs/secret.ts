/**
 * memfd_secret(2): a file whose bytes only its mappings show. Its size is set once; it has no calls
 * that read or write; its pages are locked, and only the processes that map it reach them
 * (`Backing.isSecret`).
 *
 * DIFFERS: the pages stay in the memory of the Sentry too; Linux takes them out of the kernel's own
 * mappings.
 */

import type { Account } from "../../core/account.ts";
import { EINVAL, ENXIO, EOPNOTSUPP, ESPIPE } from "../../../ffi/abi/errno.ts";
import { O_CLOEXEC, O_LARGEFILE, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { MS_NOEXEC } from "../../../ffi/abi/mount.ts";
import { SECRETMEM_MAGIC } from "../../../ffi/abi/statfs.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { Backing } from "../../mm/backing.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import { Dentry, type Mount, Path } from "../../vfs/dentry.ts";
import type { StatFs } from "../../vfs/inode.ts";
import { internalMount } from "../../vfs/mount_links.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import { TmpfsRegular } from "./regular.ts";
import { TmpfsBacking, TmpfsFile } from "./regular_file.ts";
import { TmpfsFs } from "./tmpfs.ts";

export class SecretFs extends TmpfsFs {
  override statfs(out: StatFs): number {
    out.type = SECRETMEM_MAGIC;
    out.blockSize = 4096;
    out.nameMax = 255;
    return 0;
  }
}

export class SecretInode extends TmpfsRegular {
  override readonly isSealable: boolean = false;

  /** The size can be set once. */
  protected override resize(size: number): number {
    return this.size !== 0 ? -EINVAL : super.resize(size);
  }
  override open(): OpenFile | number {
    return -ENXIO;
  }
  /** fstat(2) shows nlink 1 although there is no name, so the last reference evicts it. */
  override drop(): void {
    if (--this.refs === 0) this.evict();
  }
}

export class SecretFile extends TmpfsFile {
  private pages: SecretBacking | null = null;

  override get isSeekable(): boolean {
    return false;
  }
  override read(): number {
    return -EINVAL;
  }
  override write(): number {
    return -EINVAL;
  }
  override seek(): number {
    return -ESPIPE;
  }
  override fallocate(): number {
    return -EOPNOTSUPP;
  }
  override fsync(): number {
    return -EINVAL;
  }
  override mmap(_writable: boolean, shared: boolean): Backing | number {
    return shared ? (this.pages ??= new SecretBacking(this, true)) : -EINVAL;
  }
}

export class SecretBacking extends TmpfsBacking {
  override readonly isSecret: boolean = true;
  override readonly isMemory: boolean = false;

  override sync(): number {
    return -EINVAL;
  }
}

/** Where secret files live; one a kernel. */
export class SecretStore {
  private readonly fs: SecretFs;
  private readonly mount: Mount;

  constructor(account: Account, vfs: Vfs, frames: FrameAllocator) {
    this.fs = new SecretFs(account, frames, vfs, { pages: 0, inodes: 0 }, "secretmem");
    this.mount = internalMount(account, vfs, this.fs);
    this.mount.flags |= MS_NOEXEC;
  }

  /** Makes a secret file; -EINVAL for unknown flags, -ENOSPC. */
  create(flags: number, cred: Credentials, account: Account): OpenFile | number {
    if ((flags & ~O_CLOEXEC) !== 0) return -EINVAL;
    const r = this.fs.takeInode(account);
    if (r < 0) return r;
    const inode = new SecretInode(account, this.fs, 0o600, cred.fsuid, cred.fsgid);
    const dentry = new Dentry(this.fs, this.mount.root, "secretmem", inode);
    dentry.isUnlinked = true;
    const file = new SecretFile(account, inode, O_RDWR | O_LARGEFILE);
    file.attach(new Path(this.mount, dentry), cred);
    return file;
  }
}
