/**
 * The ports of one protocol: bound sockets, conflicts (SO_REUSEADDR, SO_REUSEPORT), and ephemeral
 * ports.
 *
 * DIFFERS: closed TCP connections leave nothing behind (no TIME_WAIT), so their ports are free at
 * once.
 */

import type { Host } from "../../core/host.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { ANY4, ANY6, isV4 } from "./address.ts";
import type { InetSocket } from "./inet_socket.ts";
import type { RawSockets } from "./raw/raw_receivers.ts";
import type { UdpPorts } from "./udp/udp_receivers.ts";

const MAX_PORT = 65535;
/** /proc/sys/net/ipv4/ip_local_port_range. */
const FIRST_EPHEMERAL = 32768, LAST_EPHEMERAL = 60999;

/** The bound sockets of one kind, by port. */
export class PortTable<S extends InetSocket = InetSocket> {
  private readonly host: Host;
  private readonly bound: Map<number, S[]> = new Map();
  private readonly random: Uint8Array<ArrayBuffer> = new Uint8Array(4);
  private readonly reserved: ReservedPorts = new ReservedPorts();

  constructor(host: Host) {
    this.host = host;
  }

  /** Sockets at `port`; the caller must not keep the array. */
  at(port: number): readonly S[] {
    return this.bound.get(port) ?? NO_SOCKETS;
  }

  /** All bound sockets. */
  all(): S[] {
    return [...this.bound.values()].flat();
  }

  /** Whether `socket`, with its local address, may have `port`. */
  isFree(socket: InetSocket, port: number): boolean {
    for (const other of this.at(port)) {
      if (other !== socket && overlaps(socket, other) && socket.conflictsWith(other)) return false;
    }
    return true;
  }

  add(socket: S, port: number): void {
    const sockets = this.bound.get(port);
    if (sockets === undefined) this.bound.set(port, [socket]);
    else sockets.push(socket);
  }

  remove(socket: S, port: number): void {
    const sockets = this.bound.get(port);
    if (sockets === undefined) return;
    const at = sockets.indexOf(socket);
    if (at >= 0) sockets.splice(at, 1);
    if (sockets.length === 0) this.bound.delete(port);
  }

  /**
   * An ephemeral port from a random start: one without sockets, else one that `socket` may share;
   * -1: none.
   */
  chooseEphemeral(socket: InetSocket): number {
    const [first, last] = rangeOf(socket), count = last - first + 1;
    if (count <= 0) return -1;
    const start = this.below(count), { reserved } = this;
    reserved.read(socket.net);
    for (let i = 0; i < count; i++) {
      const port = first + (start + i) % count;
      if (!this.bound.has(port) && !reserved.has(port)) return port;
    }
    for (let i = 0; i < count; i++) {
      const port = first + (start + i) % count;
      if (!reserved.has(port) && this.isFree(socket, port)) return port;
    }
    return -1;
  }

  /** A random number below `n`. */
  below(n: number): number {
    this.host.random(this.random);
    const r = this.random;
    return (r[0]! + r[1]! * 0x100 + r[2]! * 0x10000 + r[3]! * 0x1000000) % n;
  }
}

/** The port tables of a namespace, which AF_INET and AF_INET6 share. */
export class InetPorts {
  readonly tcp: PortTable;
  readonly udp: UdpPorts;
  readonly udpLite: UdpPorts;
  /** Identifiers of ping sockets. */
  readonly ping: PortTable;
  readonly raw: RawSockets = new Set();
  readonly net: NetNamespace;

  constructor(net: NetNamespace) {
    this.net = net;
    this.tcp = new PortTable(net.host);
    this.udp = new PortTable(net.host);
    this.udpLite = new PortTable(net.host);
    this.ping = new PortTable(net.host);
  }
}

/** The range of the setting, narrowed by IP_LOCAL_PORT_RANGE. */
function rangeOf({ ip, net }: InetSocket): readonly [first: number, last: number] {
  const words = net.setting("net/ipv4/ip_local_port_range").split("\t");
  let first = Number(words[0]) || FIRST_EPHEMERAL, last = Number(words[1]) || LAST_EPHEMERAL;
  if (ip.firstPort >= first && ip.firstPort <= last) first = ip.firstPort;
  if (ip.lastPort >= first && ip.lastPort <= last) last = ip.lastPort;
  return [first, last];
}

/** Ports that are never chosen as ephemeral: the setting is a list of ports and ranges. */
export class ReservedPorts {
  private text: string = "";
  /** One bit a port; null: no port is reserved. */
  private bits: Uint8Array<ArrayBuffer> | null = null;

  /** Reads the setting again if it changed. */
  read(net: NetNamespace): void {
    const text = net.setting("net/ipv4/ip_local_reserved_ports");
    if (text === this.text) return;
    this.text = text;
    const bits = this.bits = text === "" ? null : new Uint8Array((MAX_PORT + 1) / 8);
    if (bits === null) return;
    for (const range of text.split(",")) {
      const [first = 0, last = first] = range.split("-").map(Number);
      for (let port = first; port <= Math.min(last, MAX_PORT); port++) {
        bits[port >> 3]! |= 1 << (port & 7);
      }
    }
  }

  has(port: number): boolean {
    return this.bits !== null && (this.bits[port >> 3]! & 1 << (port & 7)) !== 0;
  }
}

const NO_SOCKETS: readonly never[] = [];

/** Whether some destination address matches both sockets. */
function overlaps(a: InetSocket, b: InetSocket): boolean {
  const one = a.options.deviceIndex, two = b.options.deviceIndex;
  if (one !== 0 && two !== 0 && one !== two) return false;
  return accepts(a, b.local.address) || accepts(b, a.local.address) ||
    (isWide(a) && isWide(b) && sharesFamily(a, b));
}

function isWide(s: InetSocket): boolean {
  return s.local.address === ANY4 || s.local.address === ANY6;
}

function sharesFamily(a: InetSocket, b: InetSocket): boolean {
  return (takesIpv4(a) && takesIpv4(b)) || (takesIpv6(a) && takesIpv6(b));
}

function takesIpv4(s: InetSocket): boolean {
  return s.local.address === ANY6 ? !s.isV6Only : isV4(s.local.address);
}
function takesIpv6(s: InetSocket): boolean {
  return !isV4(s.local.address);
}

/** Whether packets to `destination` (not a wildcard) match the address `s` is bound to. */
export function accepts(s: InetSocket, destination: string): boolean {
  const { address } = s.local;
  if (address === destination) return true;
  if (address === ANY4) return isV4(destination);
  return address === ANY6 && (!isV4(destination) || !s.isV6Only);
}
