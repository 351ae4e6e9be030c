/** A qid: the server's name for one file, the same through every path that leads to it. */

import { QTDIR, QTSYMLINK } from "./constants.ts";
import type { Reader, Writer } from "./wire.ts";

const TWO_32 = 2 ** 32;

/** type[1] version[4] path[8]. The path is kept in halves: some file systems use all 64 bits. */
export class Qid {
  type = 0;
  version = 0;
  pathLo = 0;
  pathHi = 0;

  get isDirectory(): boolean {
    return (this.type & QTDIR) !== 0;
  }

  get isSymlink(): boolean {
    return (this.type & QTSYMLINK) !== 0;
  }

  /** The path as a number: exact below 2^53, which holds for all but exotic file systems. */
  get path(): number {
    return this.pathLo + this.pathHi * TWO_32;
  }

  read(r: Reader): void {
    this.type = r.getU8();
    this.version = r.getU32();
    this.pathLo = r.getU32();
    this.pathHi = r.getU32();
  }

  write(w: Writer): void {
    w.putU8(this.type);
    w.putU32(this.version);
    w.putPair(this.pathLo, this.pathHi);
  }

  copyFrom(o: Qid): void {
    this.type = o.type;
    this.version = o.version;
    this.pathLo = o.pathLo;
    this.pathHi = o.pathHi;
  }
}
