/**
 * Socket filters (SO_ATTACH_FILTER of socket(7)): a classic BPF program sees each packet that
 * arrives and returns the number of bytes to keep. Programs are verified in bpf/classic_program.ts
 * and attached in filter_options.ts.
 *
 * DIFFERS: fields that are not set here read as zero: hash, queue, VLAN tag, processor.
 */

import * as P from "../../ffi/abi/packet.ts";
import * as B from "../bpf/classic_program.ts";
import { type BpfData, OUTSIDE, runBpf } from "../bpf/classic_run.ts";
import type { Host } from "../core/host.ts";
import { randomWord } from "../core/random_word.ts";

/** A packet as a program sees it: bytes from `from` on, and its fields. */
export class PacketView implements BpfData {
  /** The source of random numbers. */
  host: Host | null = null;
  bytes: Uint8Array = new Uint8Array(0);
  from: number = 0;
  /** Offset of the network header; a link header, if there is one, is at 0. */
  network: number = 0;
  hasLink: boolean = false;
  /** ETH_P_*, PACKET_*, interface, ARPHRD_*. */
  protocol: number = 0;
  type: number = 0;
  ifindex: number = 0;
  hatype: number = 0;

  /** A packet without fields. */
  plain(host: Host, bytes: Uint8Array, protocol: number = 0): this {
    this.host = host;
    this.bytes = bytes;
    this.from = this.network = 0;
    this.hasLink = false;
    this.protocol = protocol;
    this.type = this.ifindex = this.hatype = 0;
    return this;
  }

  get length(): number {
    return this.bytes.length - this.from;
  }

  load(op: number, offset: number, x: number): number {
    return load(this, op, offset, x);
  }
  ancillary(what: number, a: number, x: number): number {
    return what === P.SKF_AD_ALU_XOR_X ? a ^ x : ancillary(this, what, a, x);
  }
}

/** The number of bytes to keep, at most all; 0: drop the packet. */
export function keptBytes(program: B.BpfProgram | null, view: PacketView): number {
  return program === null ? view.length : Math.min(runBpf(program, 0, view), view.length);
}

/** The number of bytes to keep, 0 for an empty packet; -1: drop the packet. */
export function keptOrDropped(program: B.BpfProgram, view: PacketView): number {
  const kept = runBpf(program, 0, view);
  return kept === 0 ? -1 : Math.min(kept, view.length);
}

/** Loads a big-endian number from the packet, or OUTSIDE. */
function load(view: PacketView, op: number, offset: number, x: number): number {
  switch (op) {
    case B.OP_LD_B_ABS:
      return number(view, offset, 1);
    case B.OP_LD_H_ABS:
      return number(view, offset, 2);
    case B.OP_LD_ABS:
      return number(view, offset, 4);
    case B.OP_LD_B_IND:
      return number(view, offset + x | 0, 1);
    case B.OP_LD_H_IND:
      return number(view, offset + x | 0, 2);
    case B.OP_LD_IND:
      return number(view, offset + x | 0, 4);
    default: {
      const byte = number(view, offset, 1);
      return byte === OUTSIDE ? OUTSIDE : (byte & 15) << 2;
    }
  }
}

function number(view: PacketView, offset: number, size: number): number {
  const at = place(view, offset);
  if (at < 0 || at + size > view.bytes.length) return OUTSIDE;
  let value = 0;
  for (let i = at; i < at + size; i++) value = value * 256 + view.bytes[i]!;
  return value;
}

/** The place of an offset; negative ones count from the network header or the link header. */
function place(view: PacketView, offset: number): number {
  if (offset >= 0) return view.from + offset;
  if (offset >= P.SKF_NET_OFF) return view.network + offset - P.SKF_NET_OFF;
  return offset >= P.SKF_LL_OFF && view.hasLink ? offset - P.SKF_LL_OFF : -1;
}

function ancillary(view: PacketView, what: number, a: number, x: number): number {
  switch (what) {
    case P.SKF_AD_PROTOCOL:
      return view.protocol;
    case P.SKF_AD_PKTTYPE:
      return view.type;
    case P.SKF_AD_IFINDEX:
      return view.ifindex;
    case P.SKF_AD_HATYPE:
      return view.hatype;
    case P.SKF_AD_NLATTR:
      return findAttribute(view, a >>> 0, view.length, x >>> 0);
    case P.SKF_AD_NLATTR_NEST: {
      const length = attributeLength(view, a >>> 0);
      const end = (a >>> 0) + length;
      return length < 4 || end > view.length ? 0 : findAttribute(view, (a >>> 0) + 4, end, x >>> 0);
    }
    case P.SKF_AD_RANDOM:
      return view.host === null ? 0 : randomWord(view.host);
    case P.SKF_AD_PAY_OFFSET:
      return view.network - view.from;
    default:
      return 0;
  }
}

/** nla_len of the attribute at `at`; 0: outside of the packet. */
function attributeLength(view: PacketView, at: number): number {
  if (at + 4 > view.length) return 0;
  const { bytes, from } = view;
  return bytes[from + at]! | bytes[from + at + 1]! << 8;
}

/** The place of a netlink attribute between `at` and `end`; 0: none. */
function findAttribute(view: PacketView, at: number, end: number, type: number): number {
  const { bytes, from } = view;
  while (at + 4 <= end) {
    const length = attributeLength(view, at);
    if (length < 4 || at + length > end) return 0;
    const kind = (bytes[from + at + 2]! | bytes[from + at + 3]! << 8) & 0x3fff;
    if (kind === type) return at;
    at += (length + 3) & ~3;
  }
  return 0;
}
