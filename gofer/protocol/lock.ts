/**
 * POSIX record locks: Tlock, Tgetlock and their replies. File offsets are kept as halves of 64
 * bits, since programs lock bytes beyond 2^53.
 */

import { TGETLOCK, TLOCK } from "./constants.ts";
import type { Message } from "./message.ts";
import { type Reader, Str, type Writer } from "./wire.ts";

/** fid[4] type[1] flags[4] start[8] length[8] proc_id[4] client_id[s]; length 0: to the end. */
export class Tlock implements Message {
  readonly type = TLOCK;
  fid = 0;
  lockType = 0;
  flags = 0;
  startLo = 0;
  startHi = 0;
  lengthLo = 0;
  lengthHi = 0;
  procId = 0;
  readonly clientId = new Str();

  read(r: Reader): void {
    this.fid = r.getU32();
    this.lockType = r.getU8();
    this.flags = r.getU32();
    this.startLo = r.getU32();
    this.startHi = r.getU32();
    this.lengthLo = r.getU32();
    this.lengthHi = r.getU32();
    this.procId = r.getU32();
    r.getStr(this.clientId);
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putU8(this.lockType);
    w.putU32(this.flags);
    w.putPair(this.startLo, this.startHi);
    w.putPair(this.lengthLo, this.lengthHi);
    w.putU32(this.procId);
    w.putStr(this.clientId);
  }
}

/** status[1]. */
export class Rlock implements Message {
  readonly type = TLOCK + 1;
  status = 0;

  read(r: Reader): void {
    this.status = r.getU8();
  }

  write(w: Writer): void {
    w.putU8(this.status);
  }
}

/** fid[4] type[1] start[8] length[8] proc_id[4] client_id[s]. */
export class Tgetlock implements Message {
  readonly type = TGETLOCK;
  fid = 0;
  lockType = 0;
  startLo = 0;
  startHi = 0;
  lengthLo = 0;
  lengthHi = 0;
  procId = 0;
  readonly clientId = new Str();

  read(r: Reader): void {
    this.fid = r.getU32();
    this.lockType = r.getU8();
    this.startLo = r.getU32();
    this.startHi = r.getU32();
    this.lengthLo = r.getU32();
    this.lengthHi = r.getU32();
    this.procId = r.getU32();
    r.getStr(this.clientId);
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putU8(this.lockType);
    w.putPair(this.startLo, this.startHi);
    w.putPair(this.lengthLo, this.lengthHi);
    w.putU32(this.procId);
    w.putStr(this.clientId);
  }
}

/** type[1] start[8] length[8] proc_id[4] client_id[s]. */
export class Rgetlock implements Message {
  readonly type = TGETLOCK + 1;
  lockType = 0;
  startLo = 0;
  startHi = 0;
  lengthLo = 0;
  lengthHi = 0;
  procId = 0;
  readonly clientId = new Str();

  read(r: Reader): void {
    this.lockType = r.getU8();
    this.startLo = r.getU32();
    this.startHi = r.getU32();
    this.lengthLo = r.getU32();
    this.lengthHi = r.getU32();
    this.procId = r.getU32();
    r.getStr(this.clientId);
  }

  write(w: Writer): void {
    w.putU8(this.lockType);
    w.putPair(this.startLo, this.startHi);
    w.putPair(this.lengthLo, this.lengthHi);
    w.putU32(this.procId);
    w.putStr(this.clientId);
  }
}
