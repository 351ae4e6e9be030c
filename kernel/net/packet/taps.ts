/**
 * Who watches the links of a network namespace: its packet sockets, and how many watchers there are in all. Frames are
 * made for them alone, so nothing is made while there are none. What passes is told by show_packets.ts.
 */

import type { Link } from "../link/link.ts";
import type { NetShared } from "../net_shared.ts";
import type { Fanout } from "./fanout.ts";
import type { PacketSocket } from "./packet_socket.ts";

/** A frame with its header of Ethernet, as somebody at a link sees it. */
export interface Frame {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** ETH_P_*. */
  readonly protocol: number;
}

export class Taps {
  private readonly shared: NetShared;
  readonly sockets: Set<PacketSocket> = new Set();
  /** Groups of them, by id. */
  readonly fanouts: Map<number, Fanout> = new Map();

  constructor(shared: NetShared) {
    this.shared = shared;
  }

  add(socket: PacketSocket): void {
    this.sockets.add(socket);
    this.shared.watchers++;
  }
  remove(socket: PacketSocket): void {
    if (this.sockets.delete(socket)) this.shared.watchers--;
  }

  /** A frame passes `link`; `type` is PACKET_*, `sender` the socket that made it. */
  show(link: Link, frame: Frame, type: number, sender: PacketSocket | null): void {
    const own = sender?.fanout ?? null;
    for (const socket of this.sockets) {
      if (socket === sender || (own !== null && socket.fanout === own)) continue;
      socket.hear(link, frame, type);
    }
  }
}
