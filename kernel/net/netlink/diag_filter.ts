/**
 * Filters of sock_diag(7) for internet sockets (INET_DIAG_REQ_BYTECODE of linux/inet_diag.h), which
 * ss(8) makes from its expressions. Each operation continues `yes` or `no` bytes further on; a
 * socket for which the program ends exactly at the end is listed.
 */

import * as D from "../../../ffi/abi/sock_diag.ts";
import { AF_INET, AF_UNSPEC } from "../../../ffi/abi/socket.ts";
import { stringToBytes } from "../../core/bytes.ts";
import { type Endpoint, isV4, MAPPED } from "../inet/address.ts";
import type { InetView } from "../inet/inet_view.ts";
import { isInNetwork } from "../link/prefix.ts";

/** Bytes of struct inet_diag_bc_op, and of struct inet_diag_hostcond without its address. */
const OP = 4, HOST = 8;

export class DiagFilter {
  private readonly dv: DataView;

  private constructor(dv: DataView) {
    this.dv = dv;
  }

  /** Null: Linux refuses the program. */
  static parse(bytes: string): DiagFilter | null {
    const filter = new DiagFilter(new DataView(stringToBytes(bytes).buffer));
    return filter.isGood() ? filter : null;
  }

  /** The number of operations, at most. */
  get steps(): number {
    return Math.ceil(this.length / OP);
  }
  private get length(): number {
    return this.dv.byteLength;
  }
  private no(at: number): number {
    return this.dv.getUint16(at + 2, true);
  }

  /**
   * The check of inet_diag_bc_audit of Linux: both branches lead to operations, to the end, or one
   * step behind it.
   */
  private isGood(): boolean {
    const starts = new Set<number>(), { length } = this;
    let at = 0;
    for (; at < length;) {
      if (at + OP > length) return false;
      starts.add(at);
      const least = this.leastBytes(at), left = length - at;
      if (least === 0 || least > left) return false;
      const yes = this.dv.getUint8(at + 1), no = this.no(at), isNop = this.dv.getUint8(at) === 0;
      if (yes < least || yes > left + OP || yes % 4 !== 0) return false;
      if (!isNop && (no < least || no > left + OP || no % 4 !== 0)) return false;
      at += yes;
    }
    if (at !== length || length === 0) return false;
    for (const start of starts) {
      const to = start + this.no(start), isNop = this.dv.getUint8(start) === 0;
      if (!isNop && to < length && !starts.has(to)) return false;
    }
    return true;
  }

  /** Bytes of the operation with its operand; 0: unknown operation. */
  private leastBytes(at: number): number {
    switch (this.dv.getUint8(at)) {
      case D.INET_DIAG_BC_NOP:
      case D.INET_DIAG_BC_JMP:
      case D.INET_DIAG_BC_AUTO:
        return OP;
      case D.INET_DIAG_BC_S_GE:
      case D.INET_DIAG_BC_S_LE:
      case D.INET_DIAG_BC_D_GE:
      case D.INET_DIAG_BC_D_LE:
      case D.INET_DIAG_BC_S_EQ:
      case D.INET_DIAG_BC_D_EQ:
      case D.INET_DIAG_BC_DEV_COND:
        return 2 * OP;
      case D.INET_DIAG_BC_S_COND:
      case D.INET_DIAG_BC_D_COND: {
        if (at + OP + HOST > this.length) return 0;
        const family = this.dv.getUint8(at + OP), bits = this.dv.getUint8(at + OP + 1);
        const bytes = family === AF_UNSPEC ? 0 : family === AF_INET ? 4 : 16;
        return bits > 8 * bytes ? 0 : OP + HOST + bytes;
      }
      default:
        return 0;
    }
  }

  accepts(view: InetView): boolean {
    let at = 0;
    while (at < this.length) at += this.holds(at, view) ? this.dv.getUint8(at + 1) : this.no(at);
    return at === this.length;
  }

  private holds(at: number, view: InetView): boolean {
    const { local, remote } = view, port = () => this.dv.getUint16(at + OP + 2, true);
    switch (this.dv.getUint8(at)) {
      case D.INET_DIAG_BC_JMP:
        return false;
      case D.INET_DIAG_BC_S_GE:
        return local.port >= port();
      case D.INET_DIAG_BC_S_LE:
        return local.port <= port();
      case D.INET_DIAG_BC_D_GE:
        return remote.port >= port();
      case D.INET_DIAG_BC_D_LE:
        return remote.port <= port();
      case D.INET_DIAG_BC_S_EQ:
        return local.port === port();
      case D.INET_DIAG_BC_D_EQ:
        return remote.port === port();
      case D.INET_DIAG_BC_S_COND:
        return this.isHost(at + OP, local);
      case D.INET_DIAG_BC_D_COND:
        return this.isHost(at + OP, remote);
      case D.INET_DIAG_BC_DEV_COND:
        return this.dv.getUint32(at + OP, true) === 0;
      default:
        return true;
    }
  }

  /** Whether an endpoint is in a network and has a port; -1: any port. */
  private isHost(at: number, { address, port }: Endpoint): boolean {
    const family = this.dv.getUint8(at), bits = this.dv.getUint8(at + 1);
    const wanted = this.dv.getInt32(at + 4, true);
    if (wanted !== -1 && wanted !== port) return false;
    if (bits === 0) return family === AF_UNSPEC || (family === AF_INET) === isV4(address);
    let network = family === AF_INET ? MAPPED : "";
    for (let i = 0; network.length < 16; i++) {
      network += String.fromCharCode(this.dv.getUint8(at + HOST + i));
    }
    return isInNetwork(address, network, bits);
  }
}
