/** getattr, setattr and statfs. */

import { Attr } from "./attr.ts";
import { GETATTR_BASIC, TGETATTR, TSETATTR, TSTATFS } from "./constants.ts";
import type { Message } from "./message.ts";
import type { Reader, Writer } from "./wire.ts";

/** fid[4] request_mask[8]. */
export class Tgetattr implements Message {
  readonly type = TGETATTR;
  fid = 0;
  mask = GETATTR_BASIC;

  read(r: Reader): void {
    this.fid = r.getU32();
    this.mask = r.getU64();
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putU64(this.mask);
  }
}

/** A reply that is one attribute record: Rgetattr and Rmake. */
export class AttrReply implements Message {
  readonly type: number;
  readonly attr = new Attr();

  constructor(type: number) {
    this.type = type;
  }

  read(r: Reader): void {
    this.attr.read(r);
  }

  write(w: Writer): void {
    this.attr.write(w);
  }
}

/** fid[4] valid[4] mode[4] uid[4] gid[4] size[8] atime[8+8] mtime[8+8]. */
export class Tsetattr implements Message {
  readonly type = TSETATTR;
  fid = 0;
  /** SETATTR_* bits of the fields to set. */
  valid = 0;
  mode = 0;
  uid = 0;
  gid = 0;
  size = 0;
  atimeSec = 0;
  atimeNsec = 0;
  mtimeSec = 0;
  mtimeNsec = 0;

  read(r: Reader): void {
    this.fid = r.getU32();
    this.valid = r.getU32();
    this.mode = r.getU32();
    this.uid = r.getU32();
    this.gid = r.getU32();
    this.size = r.getU64();
    this.atimeSec = r.getI64();
    this.atimeNsec = r.getU64();
    this.mtimeSec = r.getI64();
    this.mtimeNsec = r.getU64();
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putU32(this.valid);
    w.putU32(this.mode);
    w.putU32(this.uid);
    w.putU32(this.gid);
    w.putU64(this.size);
    w.putU64(this.atimeSec);
    w.putU64(this.atimeNsec);
    w.putU64(this.mtimeSec);
    w.putU64(this.mtimeNsec);
  }
}

/** type[4] bsize[4] blocks[8] bfree[8] bavail[8] files[8] ffree[8] fsid[8] namelen[4]. */
export class Rstatfs implements Message {
  readonly type = TSTATFS + 1;
  fsType = 0;
  bsize = 0;
  blocks = 0;
  bfree = 0;
  bavail = 0;
  files = 0;
  ffree = 0;
  fsidLo = 0;
  fsidHi = 0;
  namelen = 0;

  read(r: Reader): void {
    this.fsType = r.getU32();
    this.bsize = r.getU32();
    this.blocks = r.getU64();
    this.bfree = r.getU64();
    this.bavail = r.getU64();
    this.files = r.getU64();
    this.ffree = r.getU64();
    this.fsidLo = r.getU32();
    this.fsidHi = r.getU32();
    this.namelen = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.fsType);
    w.putU32(this.bsize);
    w.putU64(this.blocks);
    w.putU64(this.bfree);
    w.putU64(this.bavail);
    w.putU64(this.files);
    w.putU64(this.ffree);
    w.putPair(this.fsidLo, this.fsidHi);
    w.putU32(this.namelen);
  }
}
