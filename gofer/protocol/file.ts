/** Messages on an open file or directory: lopen, lcreate, read, write, readdir, fsync. */

import { TFSYNC, TLCREATE, TLOPEN, TREAD, TREADDIR, TWRITE } from "./constants.ts";
import type { Message } from "./message.ts";
import { Qid } from "./qid.ts";
import { type Reader, Str, type Writer } from "./wire.ts";

/** fid[4] flags[4]: Linux's O_* as on x86. */
export class Tlopen implements Message {
  readonly type = TLOPEN;
  fid = 0;
  flags = 0;

  read(r: Reader): void {
    this.fid = r.getU32();
    this.flags = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putU32(this.flags);
  }
}

/** Rlopen and Rlcreate: qid[13] iounit[4]. */
export class OpenReply implements Message {
  readonly type: number;
  readonly qid = new Qid();
  iounit = 0;

  constructor(type: number) {
    this.type = type;
  }

  read(r: Reader): void {
    this.qid.read(r);
    this.iounit = r.getU32();
  }

  write(w: Writer): void {
    this.qid.write(w);
    w.putU32(this.iounit);
  }
}

/**
 * fid[4] name[s] flags[4] mode[4] gid[4]: the fid of the directory becomes the new, open file's.
 */
export class Tlcreate implements Message {
  readonly type = TLCREATE;
  fid = 0;
  readonly name = new Str();
  flags = 0;
  mode = 0;
  gid = 0;

  read(r: Reader): void {
    this.fid = r.getU32();
    r.getStr(this.name);
    this.flags = r.getU32();
    this.mode = r.getU32();
    this.gid = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putStr(this.name);
    w.putU32(this.flags);
    w.putU32(this.mode);
    w.putU32(this.gid);
  }
}

/** fid[4] offset[8] count[4]; Treaddir's offset is a cookie, so it is kept in halves too. */
export class ReadRequest implements Message {
  readonly type: number;
  fid = 0;
  offsetLo = 0;
  offsetHi = 0;
  count = 0;

  constructor(type: typeof TREAD | typeof TREADDIR | 208) {
    this.type = type;
  }

  get offset(): number {
    return this.offsetLo + this.offsetHi * 2 ** 32;
  }

  read(r: Reader): void {
    this.fid = r.getU32();
    this.offsetLo = r.getU32();
    this.offsetHi = r.getU32();
    this.count = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putPair(this.offsetLo, this.offsetHi);
    w.putU32(this.count);
  }
}

/** A reply that is one payload, count[4] data: Rread, Rreaddir, Rgetxattr, Rlistxattr, ... */
export class DataReply implements Message {
  readonly type: number;
  readonly data = new Str();

  constructor(type: number) {
    this.type = type;
  }

  read(r: Reader): void {
    r.getData(this.data);
  }

  write(w: Writer): void {
    w.putData(this.data);
  }
}

/** fid[4] offset[8] count[4] data[count]. */
export class Twrite implements Message {
  readonly type = TWRITE;
  fid = 0;
  offset = 0;
  readonly data = new Str();

  read(r: Reader): void {
    this.fid = r.getU32();
    this.offset = r.getU64();
    r.getData(this.data);
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putU64(this.offset);
    w.putData(this.data);
  }
}

/** count[4]. */
export class Rwrite implements Message {
  readonly type = TWRITE + 1;
  count = 0;

  read(r: Reader): void {
    this.count = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.count);
  }
}

/** fid[4] and, from newer clients, datasync[4]. */
export class Tfsync implements Message {
  readonly type = TFSYNC;
  fid = 0;
  datasync = 0;

  read(r: Reader): void {
    this.fid = r.getU32();
    this.datasync = r.left === 0 ? 0 : r.getU32(); // Linux before 3.3 sends the fid alone
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putU32(this.datasync);
  }
}
