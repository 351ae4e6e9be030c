/** Messages that change the tree: symlink, link, mknod, mkdir, rename, unlink; and readlink. */

import {
  TLINK,
  TMKDIR,
  TMKNOD,
  TREADLINK,
  TRENAME,
  TRENAMEAT,
  TSYMLINK,
  TUNLINKAT,
} from "./constants.ts";
import type { Message } from "./message.ts";
import { type Reader, Str, type Writer } from "./wire.ts";

/** dfid[4] name[s] symtgt[s] gid[4]. */
export class Tsymlink implements Message {
  readonly type = TSYMLINK;
  dirFid = 0;
  readonly name = new Str();
  readonly target = new Str();
  gid = 0;

  read(r: Reader): void {
    this.dirFid = r.getU32();
    r.getStr(this.name);
    r.getStr(this.target);
    this.gid = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.dirFid);
    w.putStr(this.name);
    w.putStr(this.target);
    w.putU32(this.gid);
  }
}

/** dfid[4] fid[4] name[s]. */
export class Tlink implements Message {
  readonly type = TLINK;
  dirFid = 0;
  fid = 0;
  readonly name = new Str();

  read(r: Reader): void {
    this.dirFid = r.getU32();
    this.fid = r.getU32();
    r.getStr(this.name);
  }

  write(w: Writer): void {
    w.putU32(this.dirFid);
    w.putU32(this.fid);
    w.putStr(this.name);
  }
}

/** dfid[4] name[s] mode[4] major[4] minor[4] gid[4]. */
export class Tmknod implements Message {
  readonly type = TMKNOD;
  dirFid = 0;
  readonly name = new Str();
  mode = 0;
  major = 0;
  minor = 0;
  gid = 0;

  read(r: Reader): void {
    this.dirFid = r.getU32();
    r.getStr(this.name);
    this.mode = r.getU32();
    this.major = r.getU32();
    this.minor = r.getU32();
    this.gid = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.dirFid);
    w.putStr(this.name);
    w.putU32(this.mode);
    w.putU32(this.major);
    w.putU32(this.minor);
    w.putU32(this.gid);
  }
}

/** dfid[4] name[s] mode[4] gid[4]. */
export class Tmkdir implements Message {
  readonly type = TMKDIR;
  dirFid = 0;
  readonly name = new Str();
  mode = 0;
  gid = 0;

  read(r: Reader): void {
    this.dirFid = r.getU32();
    r.getStr(this.name);
    this.mode = r.getU32();
    this.gid = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.dirFid);
    w.putStr(this.name);
    w.putU32(this.mode);
    w.putU32(this.gid);
  }
}

/** target[s]. */
export class Rreadlink implements Message {
  readonly type = TREADLINK + 1;
  readonly target = new Str();

  read(r: Reader): void {
    r.getStr(this.target);
  }

  write(w: Writer): void {
    w.putStr(this.target);
  }
}

/** fid[4] dfid[4] name[s]. */
export class Trename implements Message {
  readonly type = TRENAME;
  fid = 0;
  dirFid = 0;
  readonly name = new Str();

  read(r: Reader): void {
    this.fid = r.getU32();
    this.dirFid = r.getU32();
    r.getStr(this.name);
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putU32(this.dirFid);
    w.putStr(this.name);
  }
}

/** olddirfid[4] oldname[s] newdirfid[4] newname[s]. */
export class Trenameat implements Message {
  readonly type = TRENAMEAT;
  oldDirFid = 0;
  readonly oldName = new Str();
  newDirFid = 0;
  readonly newName = new Str();

  read(r: Reader): void {
    this.oldDirFid = r.getU32();
    r.getStr(this.oldName);
    this.newDirFid = r.getU32();
    r.getStr(this.newName);
  }

  write(w: Writer): void {
    w.putU32(this.oldDirFid);
    w.putStr(this.oldName);
    w.putU32(this.newDirFid);
    w.putStr(this.newName);
  }
}

/** dfid[4] name[s] flags[4]. */
export class Tunlinkat implements Message {
  readonly type = TUNLINKAT;
  dirFid = 0;
  readonly name = new Str();
  flags = 0;

  read(r: Reader): void {
    this.dirFid = r.getU32();
    r.getStr(this.name);
    this.flags = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.dirFid);
    w.putStr(this.name);
    w.putU32(this.flags);
  }
}
