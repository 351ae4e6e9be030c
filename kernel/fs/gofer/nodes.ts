/** Files of a Gofer without contents here: symbolic links, devices, FIFOs, sockets. */

import { ECONNREFUSED, ENXIO, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { type Attr } from "../../../gofer/client/gofer_client.ts";
import type { GoferFs } from "./gofer_fs.ts";
import { GoferInode } from "./gofer_inode.ts";

/**
 * The host's inode numbers are below this; the bits above are the Gofer's number of a file system.
 */
export const HOST_INO = 2 ** 48;

export class GoferNode extends GoferInode {
  /** The host's listening socket that was made with this file; -1: none. */
  private listener: number = -1;

  keepListener(fd: number): void {
    this.listener = fd;
  }

  override takeListener(): number {
    const fd = this.listener;
    this.listener = -1;
    return fd;
  }

  /** Several Gofers have the same lower bits of the number, and the same birth time. */
  override get hostIdentity(): string {
    return `${this.ino % HOST_INO}:${this.btimeSec}:${this.btimeNsec}`;
  }

  override openHostFifo(mode: number): number {
    const fid = this.bind();
    const fd = fid < 0 ? fid : this.fs.client.openFd(fid, mode);
    return fd === -ENXIO ? -EOPNOTSUPP : fd;
  }

  /** Works only where the Gofer's options let guests connect. */
  override connectHost(): number {
    const fid = this.bind();
    const fd = fid < 0 ? fid : this.fs.client.openFd(fid, O_RDWR);
    return fd === -ENXIO || fd === -EOPNOTSUPP ? -ECONNREFUSED : fd;
  }
}

export class GoferSymlink extends GoferInode {
  /** The link's text, which never changes. */
  target: string | null = null;

  constructor(fs: GoferFs, attr: Attr) {
    super(fs, attr);
  }

  override adopt(attr: Attr): void {
    super.adopt(attr);
    this.target = null;
  }

  protected override onCopiedUp(): void {
    super.onCopiedUp();
    this.target = null;
  }

  override readlink(): string | number {
    if (this.target !== null) return this.target;
    const { client } = this.fs;
    if (this.fid >= 0) {
      const text = client.readlink(this.fid);
      if (typeof text === "string") this.target = text;
      return text;
    }
    const r = this.walkHere();
    if (r < 0) return r;
    this.target = client.walk.target.toByteString();
    return this.target;
  }
}
