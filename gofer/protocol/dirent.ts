/**
 * The entries inside the payloads of Rreaddir, Rreaddirattr and Rlist, read one at a time in place.
 */

import { Attr } from "./attr.ts";
import { Qid } from "./qid.ts";
import { Reader, Str } from "./wire.ts";

/** Rreaddir: qid[13] offset[8] type[1] name[s]; the fixed part in bytes. */
export const DIRENT_FIXED_BYTES = 24;
/** Rreaddirattr: attr[153] offset[8] name[s]; the fixed part in bytes. */
export const DIRENT_ATTR_FIXED_BYTES = 163;

/** Rlist: type[1] hasattr[1] offset[8], attr[153] or qid[13], name[s]; the fixed part in bytes. */
export const LIST_ENTRY_FIXED_BYTES = 25;
export const LIST_ENTRY_ATTR_FIXED_BYTES = 165;

/** The form of the entries of a payload. */
export const DIRENTS_PLAIN = 0, DIRENTS_ATTR = 1, DIRENTS_LIST = 2;

/** A cursor over the entries of one directory payload. Its fields hold the entry read last. */
export class DirEntries {
  readonly name = new Str();
  /** Without attributes: the entry's qid. With them it is `attr.qid`. */
  readonly qid = new Qid();
  readonly attr = new Attr();
  /** The entry has attributes. */
  hasAttr = false;
  /** Of an entry of Rlist with attributes: their offset in `bytes`. */
  attrAt = 0;
  /** Linux's DT_*; 0 in an Rreaddirattr (see `attr.mode`). */
  type = 0;
  /** The cookie that continues behind this entry. */
  offsetLo = 0;
  offsetHi = 0;
  readonly #reader = new Reader();
  #kind = DIRENTS_PLAIN;

  /** Starts over with a payload of a kind DIRENTS_*. */
  open(data: Str, view: DataView, kind: number): void {
    this.#reader.open(data.bytes, view, data.off, data.off + data.len);
    this.#kind = kind;
    this.hasAttr = kind === DIRENTS_ATTR;
    this.type = 0;
  }

  /** The payload's buffer. */
  get bytes(): Uint8Array {
    return this.#reader.u8;
  }

  /** Reads the next entry; false at the end. Throws ProtocolError for a broken one. */
  next(): boolean {
    const r = this.#reader;
    if (r.left === 0) return false;
    if (this.#kind === DIRENTS_LIST) return this.#nextOfList();
    if (this.hasAttr) this.attr.read(r);
    else this.qid.read(r);
    this.offsetLo = r.getU32();
    this.offsetHi = r.getU32();
    if (!this.hasAttr) this.type = r.getU8();
    r.getStr(this.name);
    return true;
  }

  #nextOfList(): boolean {
    const r = this.#reader;
    this.type = r.getU8();
    this.hasAttr = r.getU8() !== 0;
    this.offsetLo = r.getU32();
    this.offsetHi = r.getU32();
    this.attrAt = r.pos;
    if (this.hasAttr) this.attr.read(r);
    else this.qid.read(r);
    r.getStr(this.name);
    return true;
  }
}
