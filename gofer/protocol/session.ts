/**
 * Messages that open, control and end a session: version, auth, attach, flush, clunk, and errors.
 */

import { NOFID, NONUNAME, RLERROR, TATTACH, TAUTH, TFLUSH, TVERSION } from "./constants.ts";
import type { Message } from "./message.ts";
import { Qid } from "./qid.ts";
import { type Reader, Str, type Writer } from "./wire.ts";

/** msize[4] version[s]: both directions have the same body. */
export class Version implements Message {
  readonly type: number;
  msize = 0;
  readonly version = new Str();

  constructor(type: typeof TVERSION | 101) {
    this.type = type;
  }

  read(r: Reader): void {
    this.msize = r.getU32();
    r.getStr(this.version);
  }

  write(w: Writer): void {
    w.putU32(this.msize);
    w.putStr(this.version);
  }
}

/** afid[4] uname[s] aname[s] n_uname[4]. */
export class Tauth implements Message {
  readonly type = TAUTH;
  afid = 0;
  readonly uname = new Str();
  readonly aname = new Str();
  nUname = NONUNAME;

  read(r: Reader): void {
    this.afid = r.getU32();
    r.getStr(this.uname);
    r.getStr(this.aname);
    this.nUname = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.afid);
    w.putStr(this.uname);
    w.putStr(this.aname);
    w.putU32(this.nUname);
  }
}

/** fid[4] afid[4] uname[s] aname[s] n_uname[4]. */
export class Tattach implements Message {
  readonly type = TATTACH;
  fid = 0;
  afid = NOFID;
  readonly uname = new Str();
  readonly aname = new Str();
  nUname = NONUNAME;

  read(r: Reader): void {
    this.fid = r.getU32();
    this.afid = r.getU32();
    r.getStr(this.uname);
    r.getStr(this.aname);
    this.nUname = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putU32(this.afid);
    w.putStr(this.uname);
    w.putStr(this.aname);
    w.putU32(this.nUname);
  }
}

/** A reply that holds one qid: Rauth, Rattach, Rsymlink, Rmknod, Rmkdir. */
export class QidReply implements Message {
  readonly type: number;
  readonly qid = new Qid();

  constructor(type: number) {
    this.type = type;
  }

  read(r: Reader): void {
    this.qid.read(r);
  }

  write(w: Writer): void {
    this.qid.write(w);
  }
}

/** oldtag[2]. */
export class Tflush implements Message {
  readonly type = TFLUSH;
  oldTag = 0;

  read(r: Reader): void {
    this.oldTag = r.getU16();
  }

  write(w: Writer): void {
    w.putU16(this.oldTag);
  }
}

/** ecode[4]: a Linux errno, positive. */
export class Rlerror implements Message {
  readonly type = RLERROR;
  ecode = 0;

  read(r: Reader): void {
    this.ecode = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.ecode);
  }
}
