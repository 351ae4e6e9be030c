/**
 * Access to user memory by guest address: scalars, copies and strings, each page found through a
 * small direct-mapped TLB (tlb.ts). The base class of MemoryManager, whose `resolve`
 * (memory_manager.ts, fault.ts) finds a page that is not in the TLB. Every system call with a
 * pointer comes through here.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { EFAULT, ENAMETOOLONG } from "../../ffi/abi/errno.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import * as native from "../../ffi/mem/native_memory.ts";
import { ACCESS_READ, ACCESS_WRITE } from "../../platform/platform.ts";
import { bytesToString } from "../core/bytes.ts";
import { NO_PAGE, NO_TLB, type Tlb, TLB_SLOTS } from "./tlb.ts";
import type { UserMemory } from "./user_memory.ts";
import type { FileWindows } from "./windows.ts";

const SLOT_MASK = TLB_SLOTS - 1;
const TWO32 = 0x100000000;

/** Scalars that cross a page are copied through this buffer. */
const crossing = new Uint8Array(128);
const crossingView = new DataView(crossing.buffer);

const text = new Uint8Array(8192);

export abstract class UserAccess implements UserMemory {
  private readonly base: number;
  private readonly arenaSize: number;
  private readonly dv: DataView<SharedArrayBuffer>;
  private readonly words: Int32Array<SharedArrayBuffer>;
  private readonly fileWindows: FileWindows;
  private epoch: number = 0;
  private tlb: Tlb;
  /** The contiguous bytes in host memory that the last `translateRun` found. */
  reached: number = 0;
  /** The contiguous pages that the last `resolve` found, its own included. */
  protected resolvedPages: number = 1;

  constructor(arena: Arena, windows: FileWindows, tlb: Tlb) {
    this.tlb = tlb;
    this.base = arena.base;
    this.arenaSize = arena.size;
    this.dv = arena.dv;
    this.words = arena.words;
    this.fileWindows = windows;
  }

  /**
   * The host address of a guest page for one access (ACCESS_READ or ACCESS_WRITE), after what a
   * fault of the guest would do; sets `resolvedPages`. -1: the guest may not access it.
   */
  protected abstract resolve(page: number, access: number): number;

  /**
   * The host address of a guest address, valid to the end of its page until memory changes; or -1.
   * HOT
   */
  translate(addr: number, access: number): number {
    if (this.epoch !== this.fileWindows.epoch) this.flushTlb();
    const page = Math.floor(addr / PAGE_SIZE), slot = page & SLOT_MASK;
    const offset = addr - page * PAGE_SIZE;
    let tlb = this.tlb;
    if (access === ACCESS_WRITE) {
      if (tlb.writeTag[slot] === page) return tlb.writeHost[slot]! + offset;
    } else if (tlb.readTag[slot] === page) {
      return tlb.readHost[slot]! + offset;
    }
    const host = this.resolve(page, access);
    if (host < 0) return -1;
    this.epoch = this.fileWindows.epoch;
    tlb = this.tlb; // read again: if this memory ended meanwhile, the TLB belongs to another one
    tlb.readTag[slot] = page;
    tlb.readHost[slot] = host;
    if (access === ACCESS_WRITE) {
      tlb.writeTag[slot] = page;
      tlb.writeHost[slot] = host;
    } else if (tlb.writeTag[slot] === page && tlb.writeHost[slot] !== host) {
      tlb.writeTag[slot] = NO_PAGE;
    }
    return host + offset;
  }

  /** As `translate`, for up to `len` bytes: `reached` is how many of them are contiguous. HOT */
  translateRun(addr: number, len: number, access: number): number {
    const page = Math.floor(addr / PAGE_SIZE), offset = addr - page * PAGE_SIZE;
    if (offset + len <= PAGE_SIZE) {
      this.reached = len;
      return this.translate(addr, access);
    }
    const host = this.resolve(page, access);
    if (host < 0) return -1;
    this.reached = Math.min(len, this.resolvedPages * PAGE_SIZE - offset);
    return host + offset;
  }

  /** Page tables changed: forgets all pages. */
  flushTlb(): void {
    this.epoch = this.fileWindows.epoch;
    this.tlb.flush();
  }

  /**
   * This memory has ended: nothing resolves any more, and the caller returns the TLB to its pool.
   */
  protected leaveTlb(): Tlb {
    const { tlb } = this;
    this.tlb = NO_TLB;
    return tlb;
  }

  /** Forgets which pages can be written (copy on write). */
  protected flushWrites(): void {
    this.tlb.writeTag.fill(NO_PAGE);
  }

  copyIn(dst: Uint8Array<ArrayBuffer>, dstOffset: number, addr: number, len: number): number {
    while (len > 0) {
      const host = this.translateRun(addr, len, ACCESS_READ);
      if (host < 0) return -EFAULT;
      const n = this.reached;
      if (native.copyToBuffer(dst, dstOffset, host, n) !== n) return -EFAULT;
      addr += n;
      dstOffset += n;
      len -= n;
    }
    return 0;
  }

  copyOut(addr: number, src: Uint8Array<ArrayBuffer>, srcOffset: number, len: number): number {
    while (len > 0) {
      const host = this.translateRun(addr, len, ACCESS_WRITE);
      if (host < 0) return -EFAULT;
      const n = this.reached;
      if (native.copyFromBuffer(host, src, srcOffset, n) !== n) return -EFAULT;
      addr += n;
      srcOffset += n;
      len -= n;
    }
    return 0;
  }

  clear(addr: number, len: number): number {
    while (len > 0) {
      const host = this.translateRun(addr, len, ACCESS_WRITE);
      if (host < 0) return -EFAULT;
      const n = this.reached;
      if (native.fill(host, 0, n) !== n) return -EFAULT;
      addr += n;
      len -= n;
    }
    return 0;
  }

  load8(addr: number): number {
    const host = this.translate(addr, ACCESS_READ);
    if (host < 0) return -1;
    const at = host - this.base;
    return at < this.arenaSize ? this.dv.getUint8(at) : native.load8(host);
  }

  load16(addr: number): number {
    if ((addr & 4095) > 4094) {
      return this.copyIn(crossing, 0, addr, 2) < 0 ? -1 : crossingView.getUint16(0, true);
    }
    const host = this.translate(addr, ACCESS_READ);
    if (host < 0) return -1;
    const at = host - this.base;
    return at < this.arenaSize ? this.dv.getUint16(at, true) : native.load16(host);
  }

  load32(addr: number): number {
    if ((addr & 4095) > 4092) {
      return this.copyIn(crossing, 0, addr, 4) < 0 ? -1 : crossingView.getUint32(0, true);
    }
    const host = this.translate(addr, ACCESS_READ);
    if (host < 0) return -1;
    const at = host - this.base;
    return at < this.arenaSize ? this.word(at) : native.load32(host);
  }

  /** A word, read at once if it is aligned, as guest threads may be writing it. HOT */
  private word(at: number): number {
    return (at & 3) === 0 ? this.words[at / 4]! >>> 0 : this.dv.getUint32(at, true);
  }

  load64(addr: number): number {
    if ((addr & 4095) > 4088) {
      if (this.copyIn(crossing, 0, addr, 8) < 0) return -1;
      return crossingView.getUint32(0, true) + crossingView.getUint32(4, true) * TWO32;
    }
    const host = this.translate(addr, ACCESS_READ);
    if (host < 0) return -1;
    const at = host - this.base;
    if (at >= this.arenaSize) return native.load64(host);
    return this.word(at) + this.word(at + 4) * TWO32;
  }

  store8(addr: number, value: number): number {
    const host = this.translate(addr, ACCESS_WRITE);
    if (host < 0) return -EFAULT;
    return native.store8(host, value) < 0 ? -EFAULT : 0;
  }

  store16(addr: number, value: number): number {
    if ((addr & 4095) > 4094) {
      crossingView.setUint16(0, value, true);
      return this.copyOut(addr, crossing, 0, 2);
    }
    const host = this.translate(addr, ACCESS_WRITE);
    if (host < 0) return -EFAULT;
    return native.store16(host, value) < 0 ? -EFAULT : 0;
  }

  store32(addr: number, value: number): number {
    if ((addr & 4095) > 4092) {
      crossingView.setUint32(0, value, true);
      return this.copyOut(addr, crossing, 0, 4);
    }
    const host = this.translate(addr, ACCESS_WRITE);
    if (host < 0) return -EFAULT;
    return native.store32(host, value) < 0 ? -EFAULT : 0;
  }

  store64(addr: number, value: number): number {
    const hi = Math.floor(value / TWO32), lo = value - hi * TWO32;
    if ((addr & 4095) > 4088) {
      crossingView.setUint32(0, lo, true);
      crossingView.setUint32(4, hi, true);
      return this.copyOut(addr, crossing, 0, 8);
    }
    const host = this.translate(addr, ACCESS_WRITE);
    if (host < 0) return -EFAULT;
    return native.store32(host, lo) < 0 || native.store32(host + 4, hi) < 0 ? -EFAULT : 0;
  }

  /**
   * Compare and exchange of a word; a word that crosses a page cannot be exchanged atomically and
   * is a fault.
   */
  cas32(addr: number, expected: number, value: number): number {
    if ((addr & 4095) > 4092) return -1;
    const host = this.translate(addr, ACCESS_WRITE);
    return host < 0 ? -1 : native.cas32(host, expected, value);
  }

  cstring(addr: number, max: number): string | number {
    let head = "";
    while (max > 0) {
      const host = this.translate(addr, ACCESS_READ);
      if (host < 0) return -EFAULT;
      const room = Math.min(PAGE_SIZE - (addr & 4095), max);
      const len = native.findZero(host, room);
      if (len < 0 || native.copyToBuffer(text, 0, host, len) !== len) return -EFAULT;
      const part = bytesToString(text, 0, len);
      if (len < room) return head === "" ? part : head + part;
      head += part;
      addr += len;
      max -= len;
    }
    return -ENAMETOOLONG;
  }
  /** The length of the string at `addr` without its NUL, below `max`; -EFAULT or -ENAMETOOLONG. */
  stringLength(addr: number, max: number): number {
    for (let length = 0; length < max;) {
      const at = addr + length, host = this.translate(at, ACCESS_READ);
      if (host < 0) return -EFAULT;
      const room = Math.min(PAGE_SIZE - (at & 4095), max - length), n = native.findZero(host, room);
      if (n < 0) return -EFAULT;
      length += n;
      if (n < room) return length;
    }
    return -ENAMETOOLONG;
  }
}
