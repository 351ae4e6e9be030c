// The entries inside the payloads of Rreaddir and Rreaddirattr, read one at a time in place.

import { Attr } from "./attr.ts";
import { Qid } from "./qid.ts";
import { Reader, Str } from "./wire.ts";

/** Rreaddir: qid[13] offset[8] type[1] name[s]; the fixed part in bytes. */
export const DIRENT_FIXED_BYTES = 24;
/** Rreaddirattr: attr[153] offset[8] name[s]; the fixed part in bytes. */
export const DIRENT_ATTR_FIXED_BYTES = 163;

/** A cursor over the entries of one directory payload. Its fields hold the entry read last. */
export class DirEntries {
  readonly name = new Str();
  /** Without attributes: the entry's qid. With them it is `attr.qid`. */
  readonly qid = new Qid();
  readonly attr = new Attr();
  /** Linux's DT_*; 0 with attributes (see `attr.mode`). */
  type = 0;
  /** The cookie that continues behind this entry. */
  offsetLo = 0;
  offsetHi = 0;
  private readonly reader = new Reader();
  private hasAttrs = false;

  /** Starts over with a payload. */
  open(data: Str, view: DataView, hasAttrs: boolean): void {
    this.reader.open(data.bytes, view, data.off, data.off + data.len);
    this.hasAttrs = hasAttrs;
  }

  /** Reads the next entry; false at the end. Throws ProtocolError for a broken one. */
  next(): boolean {
    const r = this.reader;
    if (r.left === 0) return false;
    if (this.hasAttrs) {
      this.attr.read(r);
      this.type = 0;
    } else {
      this.qid.read(r);
    }
    this.offsetLo = r.getU32();
    this.offsetHi = r.getU32();
    if (!this.hasAttrs) this.type = r.getU8();
    r.getStr(this.name);
    return true;
  }
}
