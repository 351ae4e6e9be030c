/**
 * Filters of sockets (socket(7), SO_ATTACH_FILTER): a program of classic BPF looks at each packet that arrives and says
 * how many of its bytes are kept. Which programs are good is in core/bpf_program.ts; how they are attached, in
 * filter_options.ts.
 *
 * DIFFERS: fields that nothing here sets read as zero: hash, queue, VLAN tag, processor.
 */

import * as P from "../../ffi/abi/packet.ts";
import * as B from "../core/bpf_program.ts";

/** Bytes and what goes with them: a program sees those from `from` on. */
export class PacketView {
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
  plain(bytes: Uint8Array, protocol: number = 0): this {
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
}

/** M[]: a program writes before it reads. */
const memory = new Int32Array(16);
/** What a load gives that reaches beyond the packet: the program ends, and nothing is kept. */
const OUTSIDE = -1;

/** Bytes that are kept, at most all; 0: the packet is dropped. */
export function keptBytes(program: B.BpfProgram | null, view: PacketView): number {
  return program === null ? view.length : Math.min(run(program, view), view.length);
}

function run(program: B.BpfProgram, view: PacketView): number {
  const { op, k, jt, jf } = program;
  let a = 0, x = 0;
  for (let pc = 0;; pc++) {
    const o = op[pc]!, value = k[pc]!;
    switch (o) {
      case B.OP_RET_K:
        return value;
      case B.OP_RET_A:
        return a >>> 0;
      case B.OP_LD_IMM:
        a = value | 0;
        break;
      case B.OP_LDX_IMM:
        x = value | 0;
        break;
      case B.OP_LD_MEM:
        a = memory[value]!;
        break;
      case B.OP_LDX_MEM:
        x = memory[value]!;
        break;
      case B.OP_ST:
        memory[value] = a;
        break;
      case B.OP_STX:
        memory[value] = x;
        break;
      case B.OP_LD_LEN:
        a = view.length;
        break;
      case B.OP_LDX_LEN:
        x = view.length;
        break;
      case B.OP_TAX:
        x = a;
        break;
      case B.OP_TXA:
        a = x;
        break;
      case B.OP_NEG:
        a = -a | 0;
        break;
      case B.OP_JA:
        pc += value;
        break;
      case B.OP_LD_ANC:
        if (value === P.SKF_AD_ALU_XOR_X) a ^= x;
        else a = ancillary(view, value, a, x);
        break;
      default:
        if (B.isConditional(o)) {
          pc += compare(o, a, o % 2 === 0 ? value : x) ? jt[pc]! : jf[pc]!;
        } else if (o >= B.OP_ADD_K && o !== B.OP_LD_B_ABS && o <= B.OP_MOD_X) {
          const by = B.isByX(o) ? x : value | 0;
          if (by === 0 && (o === B.OP_DIV_X || o === B.OP_MOD_X)) return 0;
          a = B.calculate(B.isByX(o) ? o - 1 : o, a, by);
        } else {
          const loaded = load(view, o, value | 0, x);
          if (loaded === OUTSIDE) return 0;
          if (o === B.OP_LDX_MSH) x = loaded;
          else a = loaded | 0;
        }
    }
  }
}

function compare(op: number, a: number, b: number): boolean {
  switch (op - (op % 2)) {
    case B.OP_JEQ_K:
      return (a | 0) === (b | 0);
    case B.OP_JGT_K:
      return a >>> 0 > b >>> 0;
    case B.OP_JGE_K:
      return a >>> 0 >= b >>> 0;
    default:
      return (a & b) !== 0;
  }
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
      return Math.floor(Math.random() * 0x100000000) | 0;
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
