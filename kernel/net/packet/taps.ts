/**
 * The packet sockets of a network namespace, and the count of them in all namespaces. Frames are
 * built for them alone (show_packets.ts).
 */

import type { Link } from "../link/link.ts";
import type { NetShared } from "../net_shared.ts";
import type { Fanout } from "./fanout.ts";
import type { PacketSocket } from "./packet_socket.ts";

/** A frame with its Ethernet header, as seen at a link. */
export interface Frame {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** ETH_P_*. */
  readonly protocol: number;
}

/** The packet sockets of one namespace. */
export class Taps {
  private readonly shared: NetShared;
  readonly sockets: Set<PacketSocket> = new Set();
  /** Fanout groups by id. */
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

  /** Shows a frame that passes `link`; `type` is PACKET_*, `sender` the socket that sent it. */
  show(link: Link, frame: Frame, type: number, sender: PacketSocket | null): void {
    const own = sender?.fanout ?? null;
    for (const socket of this.sockets) {
      if (socket === sender || (own !== null && socket.fanout === own)) continue;
      socket.receiveFrame(link, frame, type);
    }
  }
}
