/**
 * What the sockets of a sandbox share: memory, clocks, and the registries of names and ports. Families register
 * themselves here; there is one object a kernel.
 */

import { EAFNOSUPPORT, EINVAL } from "../../ffi/abi/errno.ts";
import type { Host } from "../core/host.ts";
import type { FrameAllocator } from "../mm/frames.ts";
import type { SocketCaller } from "./message.ts";
import { Loopback } from "./interfaces.ts";
import type { Socket } from "./socket.ts";

/** An address family: makes sockets, alone and in pairs. */
export interface SocketFamily {
  /** socket(2): -EPROTONOSUPPORT, -ESOCKTNOSUPPORT, -EPERM. `type` is without flags. */
  create(caller: SocketCaller, type: number, protocol: number): Socket | number;
  /** socketpair(2): two connected sockets, or -errno. */
  createPair(
    caller: SocketCaller,
    type: number,
    protocol: number,
  ): readonly [Socket, Socket] | number;
}

/** LIMIT: address families (AF_MAX). */
const AF_MAX = 46;
/** LIMIT: socket types (SOCK_MAX). */
const SOCK_MAX = 11;

export class NetNamespace {
  readonly frames: FrameAllocator;
  readonly host: Host;
  readonly loopback: Loopback = new Loopback();
  private readonly families: (SocketFamily | null)[] = new Array<SocketFamily | null>(AF_MAX)
    .fill(null);

  constructor(frames: FrameAllocator, host: Host) {
    this.frames = frames;
    this.host = host;
  }

  register(family: number, maker: SocketFamily): void {
    this.families[family] = maker;
  }

  /** The family, or -EAFNOSUPPORT; `type` must be one that exists. */
  familyOf(family: number, type: number): SocketFamily | number {
    if (family < 0 || family >= AF_MAX) return -EAFNOSUPPORT;
    if (type < 0 || type >= SOCK_MAX) return -EINVAL;
    return this.families[family] ?? -EAFNOSUPPORT;
  }
}
