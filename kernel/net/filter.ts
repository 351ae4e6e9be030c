/**
 * Filters of sockets (socket(7), SO_ATTACH_FILTER): a program of classic BPF looks at each packet
 * that arrives and says how many of its bytes are kept. Which programs are good is in
 * bpf/classic_program.ts; how they are attached, in filter_options.ts.
 *
 * DIFFERS: fields that nothing here sets read as zero: hash, queue, VLAN tag, processor.
 */

import * as P from "../../ffi/abi/packet.ts";
import * as B from "../bpf/classic_program.ts";
import { type BpfData, OUTSIDE, runBpf } from "../bpf/classic_run.ts";
import type { Host } from "../core/host.ts";
import { randomWord } from "../core/random_word.ts";

/** Bytes and what goes with them: a program sees those from `from` on. */
export class PacketView implements BpfData {
  /** Where random numbers come from. */
  host: Host | null = null;
  bytes: Uint8Array = new Uint8Array(0);
  from: number = 0;
  /** Where the network's header is; that of the link, if there is one, is at 0. */
  network: number = 0;
  hasLink: boolean = false;
  /** ETH_P_*, PACKET_*, interface, ARPHRD_*. */
  protocol: number = 0;
  type: number = 0;
  ifindex: number = 0;
  hatype: number = 0;

  /** Bytes alone. */
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

/** Bytes that are kept, at most all; 0: the packet is dropped. */
export function keptBytes(program: B.BpfProgram | null, view: PacketView): number {
  return program === null ? view.length : Math.min(runBpf(program, 0, view), view.length);
}

/** Bytes that are kept, which may be none of none; -1: the packet is dropped. */
export function keptOrDropped(program: B.BpfProgram, view: PacketView): number {
  const kept = runBpf(program, 0, view);
  return kept === 0 ? -1 : Math.min(kept, view.length);
}

/** A number of the packet, big endian, or OUTSIDE. */
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

/** Negative offsets count from the header of the network or of the link. */
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

/** nla_len of the attribute at `at`; 0: it lies outside. */
function attributeLength(view: PacketView, at: number): number {
  if (at + 4 > view.length) return 0;
  const { bytes, from } = view;
  return bytes[from + at]! | bytes[from + at + 1]! << 8;
}

/** Where between `at` and `end` an attribute of netlink begins; 0: there is none. */
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
