/**
 * What a network namespace counts of its packets: of both versions of IP (RFC 4293), ICMP (RFC 5097's types), TCP (RFC 4022) and UDP
 * (RFC 4113). No packet travels (net/link/reach.ts): counted is what would. Neighbours: count_packets.ts (who counts), tables.ts (who shows).
 */

import { isV4 } from "../inet/address.ts";

/** Packets, and their bytes with the headers of IP. */
export class PacketCounter {
  packets: number = 0;
  bytes: number = 0;

  add(packets: number, bytes: number): void {
    this.packets += packets;
    this.bytes += bytes;
  }
}

/** Messages of ICMP by type. */
export class MessageCounter {
  readonly types: Map<number, number> = new Map();
  all: number = 0;

  add(type: number): void {
    this.all++;
    this.types.set(type, this.of(type) + 1);
  }
  of(type: number): number {
    return this.types.get(type) ?? 0;
  }
}

export class UdpCounters {
  received: number = 0;
  sent: number = 0;
  /** Nobody was at the port. */
  refused: number = 0;
  /** Those that a receiver had no room for, and others that it did not take. */
  overflows: number = 0;
  dropped: number = 0;
}

/** Of one version of IP. */
export class IpCounters {
  readonly in: PacketCounter = new PacketCounter();
  readonly out: PacketCounter = new PacketCounter();
  readonly inToGroups: PacketCounter = new PacketCounter();
  readonly outToGroups: PacketCounter = new PacketCounter();
  readonly inToAll: PacketCounter = new PacketCounter();
  readonly outToAll: PacketCounter = new PacketCounter();
  /** Of `in`, those that went on to another station. */
  forwarded: number = 0;
  readonly icmpIn: MessageCounter = new MessageCounter();
  readonly icmpOut: MessageCounter = new MessageCounter();
  readonly udp: UdpCounters = new UdpCounters();
  readonly udpLite: UdpCounters = new UdpCounters();
}

export class TcpCounters {
  segmentsIn: number = 0;
  segmentsOut: number = 0;
  /** Segments with data, and without, that were sent. */
  dataOut: number = 0;
  acksIn: number = 0;
  resetsOut: number = 0;
  /** Connections that were begun here, and that others began. */
  opened: number = 0;
  accepted: number = 0;
  /** Attempts that failed, and connections that ended by a reset. */
  failed: number = 0;
  reset: number = 0;
  /** Connections that a listener had no room for. */
  overflows: number = 0;
}

export class Traffic {
  readonly v4: IpCounters = new IpCounters();
  readonly v6: IpCounters = new IpCounters();
  readonly tcp: TcpCounters = new TcpCounters();

  /** Of the version that an address is of. */
  of(address: string): IpCounters {
    return isV4(address) ? this.v4 : this.v6;
  }
}
