/**
 * The messages of "9P2000.L.dvisor.2": whole paths in one request, and donated host descriptors.
 * Tscan is in scan.ts.
 *
 * Both sides may use them only after Tversion chose that string. A reply that announces a
 * descriptor is sent together with exactly one SCM_RIGHTS descriptor; descriptors arrive in the
 * order of their replies. Attribute records are Rgetattr's (attr.ts). Meanings: gofer/README.md.
 */

import { Attr } from "./attr.ts";
import {
  LIST_DIRS,
  NOFID,
  OPEN_NONE,
  STOP_COMPLETE,
  TBINDFD,
  TCREATEFD,
  TGETXATTR,
  TLIST,
  TMAKE,
  TOPENFD,
  TRENAMEAT2,
  TSETXATTR,
  TWALKGETATTR,
  WALKGETATTR_NAMES_MAX,
} from "./constants.ts";
import type { Message } from "./message.ts";
import { Names } from "./walk.ts";
import { ProtocolError, type Reader, Str, type Writer } from "./wire.ts";

/** fid[4] newfid[4] open[4] nwname[2] nwname*(wname[s]). */
export class Twalkgetattr implements Message {
  readonly type = TWALKGETATTR;
  fid = 0;
  /** Bound to the last component whose attributes are returned; NOFID binds nothing. */
  newFid = NOFID;
  /** Flags to open the last name with, if every name is walked; OPEN_NONE opens nothing. */
  open = OPEN_NONE;
  readonly names = new Names(WALKGETATTR_NAMES_MAX);

  read(r: Reader): void {
    this.fid = r.getU32();
    this.newFid = r.getU32();
    this.open = r.getU32();
    this.names.read(r);
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putU32(this.newFid);
    w.putU32(this.open);
    this.names.write(w);
  }
}

/** Bytes in front of the attributes in Rwalkgetattr. */
export const WALK_HEAD_BYTES = 12;

/** stop[1] hasfd[1] count[2] ecode[4] openecode[4] count*(attr) target[s]. */
export class Rwalkgetattr implements Message {
  readonly type = TWALKGETATTR + 1;
  /** STOP_*: why the walk ended. */
  stop = STOP_COMPLETE;
  /** Whether a descriptor comes with this reply. */
  hasFd = false;
  /** Attribute records: one a name walked, or the fid's own when no name was given. */
  count = 0;
  /** With STOP_ERROR: the errno of the name behind the last one walked. */
  ecode = 0;
  /** The errno of the requested open; 0 if it succeeded or was not tried. */
  openEcode = 0;
  readonly attrs: Attr[] = [];
  /** The target, when the last component returned is a symlink. */
  readonly target = new Str();

  constructor() {
    for (let i = 0; i < WALKGETATTR_NAMES_MAX; i++) this.attrs.push(new Attr());
  }

  /** Attribute record `i`. */
  at(i: number): Attr {
    const a = this.attrs[i];
    if (a === undefined) throw new ProtocolError(`attributes ${i} of ${this.count}`);
    return a;
  }

  read(r: Reader): void {
    this.stop = r.getU8();
    this.hasFd = r.getU8() !== 0;
    this.count = r.getU16();
    this.ecode = r.getU32();
    this.openEcode = r.getU32();
    if (this.count > WALKGETATTR_NAMES_MAX) {
      throw new ProtocolError(
        `${this.count} attribute records in Rwalkgetattr; ${WALKGETATTR_NAMES_MAX} are allowed`,
      );
    }
    for (let i = 0; i < this.count; i++) this.at(i).read(r);
    r.getStr(this.target);
  }

  write(w: Writer): void {
    const at = w.reserve(WALK_HEAD_BYTES);
    putWalkHead(w, at, this.stop, this.hasFd, this.count, this.ecode, this.openEcode);
    for (let i = 0; i < this.count; i++) this.at(i).write(w);
    w.putStr(this.target);
  }
}

/** Writes the head of an Rwalkgetattr in front of its attributes, which were written first. */
export function putWalkHead(
  w: Writer,
  at: number,
  stop: number,
  hasFd: boolean,
  count: number,
  ecode: number,
  openEcode: number,
): void {
  w.dv.setUint8(at, stop);
  w.dv.setUint8(at + 1, hasFd ? 1 : 0);
  w.dv.setUint16(at + 2, count, true);
  w.dv.setUint32(at + 4, ecode, true);
  w.dv.setUint32(at + 8, openEcode, true);
}

/** fid[4] flags[4]. The reply is an attribute record (AttrReply) and a descriptor. */
export class Topenfd implements Message {
  readonly type = TOPENFD;
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

/**
 * dfid[4] newfid[4] name[s] flags[4] mode[4] uid[4] gid[4]. Always exclusive: an existing name is
 * EEXIST. The reply is an attribute record and a descriptor; newfid (unless NOFID) names the file.
 */
export class Tcreatefd implements Message {
  readonly type = TCREATEFD;
  dirFid = 0;
  newFid = NOFID;
  readonly name = new Str();
  flags = 0;
  mode = 0;
  uid = 0;
  gid = 0;

  read(r: Reader): void {
    this.dirFid = r.getU32();
    this.newFid = r.getU32();
    r.getStr(this.name);
    this.flags = r.getU32();
    this.mode = r.getU32();
    this.uid = r.getU32();
    this.gid = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.dirFid);
    w.putU32(this.newFid);
    w.putStr(this.name);
    w.putU32(this.flags);
    w.putU32(this.mode);
    w.putU32(this.uid);
    w.putU32(this.gid);
  }
}

/**
 * dfid[4] newfid[4] name[s] mode[4] uid[4] gid[4] major[4] minor[4] target[s]: makes a file of the
 * type in `mode`: directory, symlink (to `target`), FIFO, socket, regular file or device node. The
 * reply is an attribute record.
 */
export class Tmake implements Message {
  readonly type = TMAKE;
  dirFid = 0;
  newFid = NOFID;
  readonly name = new Str();
  mode = 0;
  uid = 0;
  gid = 0;
  major = 0;
  minor = 0;
  readonly target = new Str();

  read(r: Reader): void {
    this.dirFid = r.getU32();
    this.newFid = r.getU32();
    r.getStr(this.name);
    this.mode = r.getU32();
    this.uid = r.getU32();
    this.gid = r.getU32();
    this.major = r.getU32();
    this.minor = r.getU32();
    r.getStr(this.target);
  }

  write(w: Writer): void {
    w.putU32(this.dirFid);
    w.putU32(this.newFid);
    w.putStr(this.name);
    w.putU32(this.mode);
    w.putU32(this.uid);
    w.putU32(this.gid);
    w.putU32(this.major);
    w.putU32(this.minor);
    w.putStr(this.target);
  }
}

/**
 * dfid[4] name[s] mode[4] uid[4] gid[4]: makes a UNIX stream socket that listens, where the server
 * allows clients to. The reply is an attribute record, and the socket.
 */
export class Tbindfd implements Message {
  readonly type = TBINDFD;
  dirFid = 0;
  readonly name = new Str();
  mode = 0;
  uid = 0;
  gid = 0;

  read(r: Reader): void {
    this.dirFid = r.getU32();
    r.getStr(this.name);
    this.mode = r.getU32();
    this.uid = r.getU32();
    this.gid = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.dirFid);
    w.putStr(this.name);
    w.putU32(this.mode);
    w.putU32(this.uid);
    w.putU32(this.gid);
  }
}

/** Trenameat with renameat2(2)'s flags[4] behind it. */
export class Trenameat2 implements Message {
  readonly type = TRENAMEAT2;
  oldDirFid = 0;
  readonly oldName = new Str();
  newDirFid = 0;
  readonly newName = new Str();
  flags = 0;

  read(r: Reader): void {
    this.oldDirFid = r.getU32();
    r.getStr(this.oldName);
    this.newDirFid = r.getU32();
    r.getStr(this.newName);
    this.flags = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.oldDirFid);
    w.putStr(this.oldName);
    w.putU32(this.newDirFid);
    w.putStr(this.newName);
    w.putU32(this.flags);
  }
}

/** fid[4] name[s] size[4] -> DataReply; a value longer than `size` is ERANGE. */
export class Tgetxattr implements Message {
  readonly type = TGETXATTR;
  fid = 0;
  readonly name = new Str();
  size = 0;

  read(r: Reader): void {
    this.fid = r.getU32();
    r.getStr(this.name);
    this.size = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putStr(this.name);
    w.putU32(this.size);
  }
}

/** fid[4] name[s] flags[4] count[4] value[count]. */
export class Tsetxattr implements Message {
  readonly type = TSETXATTR;
  fid = 0;
  readonly name = new Str();
  flags = 0;
  readonly value = new Str();

  read(r: Reader): void {
    this.fid = r.getU32();
    r.getStr(this.name);
    this.flags = r.getU32();
    r.getData(this.value);
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putStr(this.name);
    w.putU32(this.flags);
    w.putData(this.value);
  }
}

/** fid[4] offset[8] count[4] attrs[1]: LIST_DIRS or LIST_ALL. */
export class Tlist implements Message {
  readonly type = TLIST;
  fid = 0;
  offsetLo = 0;
  offsetHi = 0;
  count = 0;
  attrs = LIST_DIRS;

  read(r: Reader): void {
    this.fid = r.getU32();
    this.offsetLo = r.getU32();
    this.offsetHi = r.getU32();
    this.count = r.getU32();
    this.attrs = r.getU8();
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putPair(this.offsetLo, this.offsetHi);
    w.putU32(this.count);
    w.putU8(this.attrs);
  }
}

/** Bytes of the head of Rlist in front of its entries. */
export const LIST_HEAD_BYTES = 5;

/** end[1] count[4] entries (dirent.ts). */
export class Rlist implements Message {
  readonly type = TLIST + 1;
  /** The last entry of the directory is among these. */
  isEnd = false;
  readonly data = new Str();

  read(r: Reader): void {
    this.isEnd = r.getU8() !== 0;
    r.getData(this.data);
  }

  write(w: Writer): void {
    w.putU8(this.isEnd ? 1 : 0);
    w.putData(this.data);
  }
}

/** fid[4] name[s]; Tremovexattr is such a message. */
export class FidNameMessage implements Message {
  readonly type: number;
  fid = 0;
  readonly name = new Str();

  constructor(type: number) {
    this.type = type;
  }

  read(r: Reader): void {
    this.fid = r.getU32();
    r.getStr(this.name);
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putStr(this.name);
  }
}
