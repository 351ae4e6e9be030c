/**
 * Packet counters of a network namespace: IP (RFC 4293), ICMP by type (RFC 5097), TCP (RFC 4022)
 * and UDP (RFC 4113). No packet travels (link/reach.ts); packets that would travel are counted.
 * Writers: count_packets.ts and the protocols; reader: tables.ts.
 */

import { isV4 } from "../inet/address.ts";

/** Packets, and their bytes with IP headers. */
export class PacketCounter {
  packets: number = 0;
  bytes: number = 0;

  add(packets: number, bytes: number): void {
    this.packets += packets;
    this.bytes += bytes;
  }
}

/** ICMP messages by type. */
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

/** Datagrams of UDP or UDP-Lite. */
export class UdpCounters {
  received: number = 0;
  sent: number = 0;
  /** Datagrams to a port without a socket. */
  refused: number = 0;
  /** Datagrams for which the receiver had no room, and others that it refused. */
  overflows: number = 0;
  dropped: number = 0;
}

/** Counters of one version of IP. */
export class IpCounters {
  readonly in: PacketCounter = new PacketCounter();
  readonly out: PacketCounter = new PacketCounter();
  readonly inToGroups: PacketCounter = new PacketCounter();
  readonly outToGroups: PacketCounter = new PacketCounter();
  readonly inToAll: PacketCounter = new PacketCounter();
  readonly outToAll: PacketCounter = new PacketCounter();
  /** The part of `in` that was forwarded to another station. */
  forwarded: number = 0;
  readonly icmpIn: MessageCounter = new MessageCounter();
  readonly icmpOut: MessageCounter = new MessageCounter();
  readonly udp: UdpCounters = new UdpCounters();
  readonly udpLite: UdpCounters = new UdpCounters();
}

/** Connections and segments of TCP. */
export class TcpCounters {
  segmentsIn: number = 0;
  segmentsOut: number = 0;
  /** Segments sent with data, and without. */
  dataOut: number = 0;
  acksIn: number = 0;
  resetsOut: number = 0;
  /** Connections opened by connect(2), and by accept(2). */
  opened: number = 0;
  accepted: number = 0;
  /** Attempts that failed, and connections that were reset. */
  failed: number = 0;
  reset: number = 0;
  /** Connections for which a listener had no room. */
  overflows: number = 0;
}

/** All counters of one namespace. */
export class Traffic {
  readonly v4: IpCounters = new IpCounters();
  readonly v6: IpCounters = new IpCounters();
  readonly tcp: TcpCounters = new TcpCounters();

  /** The counters of the version of an address. */
  of(address: string): IpCounters {
    return isV4(address) ? this.v4 : this.v6;
  }
}
