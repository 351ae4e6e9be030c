/** The base protocol's extended attributes: a fid is turned into a stream of the value. */

import { TXATTRCREATE, TXATTRWALK } from "./constants.ts";
import type { Message } from "./message.ts";
import { type Reader, Str, type Writer } from "./wire.ts";

/** fid[4] newfid[4] name[s]; an empty name requests the list of names. */
export class Txattrwalk implements Message {
  readonly type = TXATTRWALK;
  fid = 0;
  newFid = 0;
  readonly name = new Str();

  read(r: Reader): void {
    this.fid = r.getU32();
    this.newFid = r.getU32();
    r.getStr(this.name);
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putU32(this.newFid);
    w.putStr(this.name);
  }
}

/** size[8]. */
export class Rxattrwalk implements Message {
  readonly type = TXATTRWALK + 1;
  size = 0;

  read(r: Reader): void {
    this.size = r.getU64();
  }

  write(w: Writer): void {
    w.putU64(this.size);
  }
}

/** fid[4] name[s] attr_size[8] flags[4]; Twrite then carries the value, and Tclunk sets it. */
export class Txattrcreate implements Message {
  readonly type = TXATTRCREATE;
  fid = 0;
  readonly name = new Str();
  size = 0;
  flags = 0;

  read(r: Reader): void {
    this.fid = r.getU32();
    r.getStr(this.name);
    this.size = r.getU64();
    this.flags = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putStr(this.name);
    w.putU64(this.size);
    w.putU32(this.flags);
  }
}
