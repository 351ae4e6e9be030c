/**
 * Packets to a neighbour that does not answer ARP or neighbour discovery. The send succeeds; after
 * the third request the sender gets EHOSTUNREACH through its error queue, and raw sockets get an
 * ICMP message.
 *
 * DIFFERS: when a router on the way finds no neighbour, its ICMP message has the sender's own
 * address as its source.
 */

import * as I from "../../../../ffi/abi/inet.ts";
import { UNANSWERED_PACKETS } from "../../../core/quota.ts";
import { findNamespace, UNANSWERED } from "../../link/reach.ts";
import { countPacket } from "../../traffic/count_packets.ts";
import { Timer } from "../../../time/timer.ts";
import { type Endpoint, isV4 } from "../address.ts";
import { QUOTE_6, reportUnanswered } from "../error_queue.ts";
import type { InetSocket } from "../inet_socket.ts";
import type { IpPacket } from "../ip/ip_packet.ts";
import { showToObservers } from "../raw/raw_receivers.ts";
import { unreachable } from "./unreachable.ts";

/** Seconds that three requests take. */
export const ASKING_S = 3;
/** LIMIT: packets of one socket that wait for a neighbour. */
const WAITING_MAX = 64;

interface Waiting {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly to: Endpoint;
  readonly source: string;
  readonly message: IpPacket;
  readonly dueNs: number;
}

/** Whether no station answers for this address now. */
export function isUnanswered(socket: InetSocket, destination: string): boolean {
  return findNamespace(socket.net, destination, null, socket.options.deviceIndex) === UNANSWERED;
}

/** The packets of one socket that wait for a neighbour. */
export class Unanswered extends Timer {
  private readonly socket: InetSocket;
  private waiting: Waiting[] = [];

  constructor(socket: InetSocket) {
    super();
    this.socket = socket;
  }

  /** `bytes`: the message that the sender gave. */
  add(bytes: Uint8Array<ArrayBuffer>, to: Endpoint, packet: IpPacket): void {
    if (this.waiting.length >= WAITING_MAX || !UNANSWERED_PACKETS.take(1, this.socket.account)) {
      return;
    }
    const { net } = this.socket, now = net.host.monotonicNs();
    // All packets to one neighbour wait for the same three requests.
    const asked = this.waiting.find((one) => one.to.address === to.address);
    const dueNs = asked?.dueNs ?? now + ASKING_S * 1e9, { source } = packet;
    const code = isV4(source) ? I.ICMP_HOST_UNREACH : I.ICMPV6_ADDR_UNREACH;
    const message = unreachable(packet, source, code);
    this.waiting.push({ bytes: bytes.slice(0, QUOTE_6), to, source, message, dueNs });
    if (!this.isArmed) net.timers.arm(this, dueNs);
  }

  override onExpire(): void {
    const { socket, waiting } = this, { net } = socket, now = net.host.monotonicNs();
    this.waiting = waiting.filter((one) => one.dueNs > now);
    for (const { bytes, to, source, message, dueNs } of waiting) {
      if (dueNs > now) continue;
      UNANSWERED_PACKETS.give(1, this.socket.account);
      // The message comes by `lo`.
      if (!net.links.lo.isUp) continue;
      countPacket(net, net, message);
      if (net.inet !== null) showToObservers(net, net.inet, message);
      reportUnanswered(socket, bytes, source, to);
    }
    const next = this.waiting[0];
    if (next !== undefined) net.timers.arm(this, next.dueNs);
  }

  /** Called when the socket is closed. */
  forget(): void {
    UNANSWERED_PACKETS.give(this.waiting.length, this.socket.account);
    this.waiting = [];
    this.socket.net.timers.disarm(this);
  }
}
