/**
 * File attributes as Rgetattr carries them; the extension's messages use the same 153-byte record.
 */

import { GETATTR_BASIC, GETATTR_BTIME } from "./constants.ts";
import { Qid } from "./qid.ts";
import type { Reader, Writer } from "./wire.ts";

/**
 * The attributes of one file. Sizes in bytes, `blocks` in units of 512 bytes, times in s and ns.
 */
export class Attr {
  /** GETATTR_* bits of the fields that are valid. */
  valid = GETATTR_BASIC | GETATTR_BTIME;
  readonly qid = new Qid();
  mode = 0;
  uid = 0;
  gid = 0;
  nlink = 0;
  /** Device number as Linux's new_encode_dev: minor 0-7, major 8-19, minor 20-31. */
  rdev = 0;
  size = 0;
  blksize = 0;
  blocks = 0;
  atimeSec = 0;
  atimeNsec = 0;
  mtimeSec = 0;
  mtimeNsec = 0;
  ctimeSec = 0;
  ctimeNsec = 0;
  btimeSec = 0;
  btimeNsec = 0;

  read(r: Reader): void {
    this.valid = r.getU64();
    this.qid.read(r);
    this.mode = r.getU32();
    this.uid = r.getU32();
    this.gid = r.getU32();
    this.nlink = r.getU64();
    this.rdev = r.getU64();
    this.size = r.getU64();
    this.blksize = r.getU64();
    this.blocks = r.getU64();
    this.atimeSec = r.getI64();
    this.atimeNsec = r.getU64();
    this.mtimeSec = r.getI64();
    this.mtimeNsec = r.getU64();
    this.ctimeSec = r.getI64();
    this.ctimeNsec = r.getU64();
    this.btimeSec = r.getI64();
    this.btimeNsec = r.getU64();
    r.getU64(); // gen
    r.getU64(); // data_version
  }

  write(w: Writer): void {
    w.putU64(this.valid);
    this.qid.write(w);
    w.putU32(this.mode);
    w.putU32(this.uid);
    w.putU32(this.gid);
    w.putU64(this.nlink);
    w.putU64(this.rdev);
    w.putU64(this.size);
    w.putU64(this.blksize);
    w.putU64(this.blocks);
    w.putU64(this.atimeSec);
    w.putU64(this.atimeNsec);
    w.putU64(this.mtimeSec);
    w.putU64(this.mtimeNsec);
    w.putU64(this.ctimeSec);
    w.putU64(this.ctimeNsec);
    w.putU64(this.btimeSec);
    w.putU64(this.btimeNsec);
    w.putU64(0);
    w.putU64(0);
  }

  copyFrom(o: Attr): void {
    this.valid = o.valid;
    this.qid.copyFrom(o.qid);
    this.mode = o.mode;
    this.uid = o.uid;
    this.gid = o.gid;
    this.nlink = o.nlink;
    this.rdev = o.rdev;
    this.size = o.size;
    this.blksize = o.blksize;
    this.blocks = o.blocks;
    this.atimeSec = o.atimeSec;
    this.atimeNsec = o.atimeNsec;
    this.mtimeSec = o.mtimeSec;
    this.mtimeNsec = o.mtimeNsec;
    this.ctimeSec = o.ctimeSec;
    this.ctimeNsec = o.ctimeNsec;
    this.btimeSec = o.btimeSec;
    this.btimeNsec = o.btimeNsec;
  }
}
