/**
 * A network interface of a guest's network namespace (netdevice(7)): `lo`, and what `ip link add` makes: pairs of virtual
 * Ethernet (veth(4)), bridges, dummies. Which there are is in link_table.ts; where packets go from them, in reach.ts.
 */

import * as I from "../../../ffi/abi/inet.ts";
import {
  IF_OPER_DOWN,
  IF_OPER_LOWERLAYERDOWN,
  IF_OPER_UNKNOWN,
  IF_OPER_UP,
} from "../../../ffi/abi/netlink.ts";
import type { LinkFamily } from "../../proc/fs/link_fields.ts";
import { PacketCounter } from "../traffic/counters.ts";
import { LinkGroups } from "./link_groups.ts";
import type { LinkSettings } from "./link_settings.ts";
import type { LinkTable } from "./link_table.ts";

export type LinkKind = "loopback" | "veth" | "bridge" | "dummy";

/** An address of a link: 16 bytes as inet/address.ts has them. */
export interface LinkAddress {
  readonly address: string;
  /** Bits of the network, of the family's own. */
  readonly prefix: number;
  /** RT_SCOPE_*. */
  readonly scope: number;
  /** The other end of a point-to-point link, or the address itself. */
  readonly peer: string;
  readonly broadcast: string | null;
  readonly label: string;
  /** IFAPROT_*, or a number of whoever set it: kept and shown. */
  readonly origin: number;
}

/** A station that is known without asking (ip-neighbour(8)). */
export interface Neighbour {
  readonly mac: string;
  /** NUD_* and NTF_*. */
  readonly state: number;
  readonly flags: number;
}

/** Bounds of what is not `lo` (struct net_device). */
const MTU_MIN = 68, MTU_MAX = 65535;
/** LIMIT: addresses of one link. */
export const ADDRESSES_MAX = 1024;
const LOOPBACK_MTU = 65536, ETHERNET_MTU = 1500;
export const NO_MAC = "\0".repeat(6);

export class Link {
  readonly kind: LinkKind;
  /** Where it is. */
  table: LinkTable;
  name: string;
  index: number;
  /** Six bytes. */
  mac: string;
  mtu: number;
  txQueueLength = 1000;
  isUp = false;
  /** IFF_PROMISC, IFF_NOARP and the like: kept and shown. */
  moreFlags = 0;
  alias = "";
  /** How many packet sockets want all that passes, and all that goes to groups. */
  promiscuity = 0;
  allMulticast = 0;
  readonly addresses: LinkAddress[] = [];
  /** Those that somebody told of, by address. */
  readonly neighbours: Map<string, Neighbour> = new Map();
  readonly groups: LinkGroups = new LinkGroups(this);
  readonly received: PacketCounter = new PacketCounter();
  readonly sent: PacketCounter = new PacketCounter();
  /** Of /proc/sys/net/ipv4/conf and ipv6/conf. */
  settings: Readonly<Record<LinkFamily, LinkSettings>>;
  /** The other end of a veth; null for all else. */
  peer: Link | null = null;
  /** The bridge that it is a port of. */
  master: Link | null = null;

  constructor(table: LinkTable, kind: LinkKind, name: string, index: number, mac: string) {
    this.table = table;
    this.kind = kind;
    this.name = name;
    this.index = index;
    this.mac = mac;
    this.mtu = kind === "loopback" ? LOOPBACK_MTU : ETHERNET_MTU;
    this.settings = table.newSettings(this);
  }

  /** Something is at the other end. */
  get hasCarrier(): boolean {
    if (this.kind === "veth") return this.peer !== null && this.peer.isUp;
    return this.kind !== "bridge" || this.ports.some((port) => port.isUp && port.hasCarrier);
  }
  get hasIpv6(): boolean {
    return this.settings.ipv6.get("disable_ipv6") === 0;
  }
  /** Ports of a bridge. */
  get ports(): readonly Link[] {
    return this.table.links.filter((link) => link.master === this);
  }

  /** False: it cannot be so. */
  setMtu(mtu: number): boolean {
    const isBounded = this.kind !== "loopback";
    if (mtu < 0 || (isBounded && (mtu < MTU_MIN || mtu > MTU_MAX))) return false;
    this.mtu = mtu;
    this.settings.ipv6.set("mtu", mtu);
    return true;
  }

  /** IFF_*. */
  get flags(): number {
    const running = this.isUp && this.hasCarrier ? I.IFF_RUNNING : 0;
    return this.fixedFlags | this.moreFlags | (this.isUp ? I.IFF_UP : 0) | running;
  }
  private get fixedFlags(): number {
    if (this.kind === "loopback") return I.IFF_LOOPBACK;
    return this.kind === "dummy"
      ? I.IFF_BROADCAST | I.IFF_NOARP
      : I.IFF_BROADCAST | I.IFF_MULTICAST;
  }

  /** IF_OPER_*. */
  get operState(): number {
    if (!this.isUp) return IF_OPER_DOWN;
    if (this.kind === "loopback" || this.kind === "dummy") return IF_OPER_UNKNOWN;
    if (this.hasCarrier) return IF_OPER_UP;
    return this.kind === "veth" ? IF_OPER_LOWERLAYERDOWN : IF_OPER_DOWN;
  }

  /** ARPHRD_*. */
  get type(): number {
    return this.kind === "loopback" ? I.ARPHRD_LOOPBACK : I.ARPHRD_ETHER;
  }
  get broadcastMac(): string {
    return this.kind === "loopback" ? NO_MAC : "\xff".repeat(6);
  }
}
