/** Twalk and Rwalk, and the list of names that Twalkgetattr shares with them. */

import { TWALK, WALK_NAMES_MAX } from "./constants.ts";
import type { Message } from "./message.ts";
import { Qid } from "./qid.ts";
import { type ByteString, ProtocolError, type Reader, Str, type Writer } from "./wire.ts";

/** Up to `max` path components; the Str objects are made once and used again. */
export class Names {
  readonly max: number;
  /** `max` strings; the first `count` are names. */
  readonly slots: readonly Str[];
  count = 0;

  constructor(max: number) {
    this.max = max;
    this.slots = Array.from({ length: max }, () => new Str());
  }

  /** Name `i`, which must be below `count`. */
  at(i: number): Str {
    const s = this.slots[i];
    if (s === undefined) throw new ProtocolError(`name ${i} of ${this.count}`);
    return s;
  }

  /** Takes `names[from..]`, as many as fit; returns how many that were. */
  set(names: readonly ByteString[], from = 0): number {
    const n = Math.min(names.length - from, this.max);
    for (let i = 0; i < n; i++) this.at(i).set(names[from + i] ?? "");
    this.count = n;
    return n;
  }

  read(r: Reader): void {
    const n = r.getU16();
    if (n > this.max) throw new ProtocolError(`${n} names to walk; ${this.max} are allowed`);
    for (let i = 0; i < n; i++) r.getStr(this.at(i));
    this.count = n;
  }

  write(w: Writer): void {
    w.putU16(this.count);
    for (let i = 0; i < this.count; i++) w.putStr(this.at(i));
  }
}

/** fid[4] newfid[4] nwname[2] nwname*(wname[s]). */
export class Twalk implements Message {
  readonly type = TWALK;
  fid = 0;
  newFid = 0;
  readonly names = new Names(WALK_NAMES_MAX);

  read(r: Reader): void {
    this.fid = r.getU32();
    this.newFid = r.getU32();
    this.names.read(r);
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putU32(this.newFid);
    this.names.write(w);
  }
}

/** nwqid[2] nwqid*(wqid[13]). */
export class Rwalk implements Message {
  readonly type = TWALK + 1;
  readonly qids: Qid[] = [];
  count = 0;

  constructor() {
    for (let i = 0; i < WALK_NAMES_MAX; i++) this.qids.push(new Qid());
  }

  /** Qid `i`. */
  at(i: number): Qid {
    const q = this.qids[i];
    if (q === undefined) throw new ProtocolError(`qid ${i} of ${this.count}`);
    return q;
  }

  read(r: Reader): void {
    const n = r.getU16();
    if (n > WALK_NAMES_MAX) throw new ProtocolError(`${n} qids in Rwalk; 16 are allowed`);
    for (let i = 0; i < n; i++) this.at(i).read(r);
    this.count = n;
  }

  write(w: Writer): void {
    w.putU16(this.count);
    for (let i = 0; i < this.count; i++) this.at(i).write(w);
  }
}
