/** The address family AF_UNIX. */

import type { Account } from "../../core/account.ts";
import { EPROTONOSUPPORT, ESOCKTNOSUPPORT } from "../../../ffi/abi/errno.ts";
import { SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import type { SocketCaller } from "../message.ts";
import type { NetNamespace, SocketFamily } from "../net_namespace.ts";
import type { Socket } from "../socket.ts";
import { UnixDgram } from "./dgram.ts";
import { UnixSeqpacket } from "./seqpacket.ts";
import { UnixStream } from "./stream.ts";
import { AbstractNames } from "./unix_names.ts";

/** PF_UNIX is accepted as a protocol. */
const PF_UNIX = 1;

export class UnixFamily implements SocketFamily {
  private readonly net: NetNamespace;
  readonly names: AbstractNames = new AbstractNames();

  constructor(net: NetNamespace) {
    this.net = net;
  }

  create(caller: SocketCaller, type: number, protocol: number): Socket | number {
    return this.make(caller.account, type, protocol);
  }

  createPair(
    caller: SocketCaller,
    type: number,
    protocol: number,
  ): readonly [Socket, Socket] | number {
    const a = this.make(caller.account, type, protocol);
    if (typeof a === "number") return a;
    const b = this.make(caller.account, type, protocol);
    if (typeof b === "number") return b;
    if (a instanceof UnixDgram && b instanceof UnixDgram) a.pairWith(b, caller);
    else if (a instanceof UnixStream && b instanceof UnixStream) a.pairWith(b, caller);
    else if (a instanceof UnixSeqpacket && b instanceof UnixSeqpacket) a.pairWith(b, caller);
    return [a, b];
  }

  private make(
    account: Account,
    type: number,
    protocol: number,
  ): UnixStream | UnixSeqpacket | UnixDgram | number {
    if (protocol !== 0 && protocol !== PF_UNIX) return -EPROTONOSUPPORT;
    switch (type) {
      case SOCK_STREAM:
        return new UnixStream(account, this.net, this.names);
      case SOCK_SEQPACKET:
        return new UnixSeqpacket(account, this.net, this.names);
      case SOCK_DGRAM:
      case SOCK_RAW:
        return new UnixDgram(account, this.net, this.names);
      default:
        return -ESOCKTNOSUPPORT;
    }
  }
}
