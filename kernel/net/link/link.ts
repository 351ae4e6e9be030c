/**
 * A network interface of a guest's namespace (netdevice(7)): `lo`, or what `ip link add` makes:
 * veth(4) pairs, bridges, dummies. The links of a namespace: link_table.ts; the way of packets:
 * reach.ts.
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

/** An address of a link: 16 bytes as in inet/address.ts. */
export interface LinkAddress {
  readonly address: string;
  /** Prefix length in bits of the address family. */
  readonly prefix: number;
  /** RT_SCOPE_*. */
  readonly scope: number;
  /** The peer of a point-to-point link, or the address itself. */
  readonly peer: string;
  readonly broadcast: string | null;
  readonly label: string;
  /** IFAPROT_*, or another number that was given: kept and shown. */
  readonly origin: number;
}

/** A neighbour entry that was set (ip-neighbour(8)). */
export interface Neighbour {
  readonly mac: string;
  /** NUD_* and NTF_*. */
  readonly state: number;
  readonly flags: number;
}

/** Bounds of the MTU of links other than `lo` (struct net_device). */
const MTU_MIN = 68, MTU_MAX = 65535;
/** LIMIT: addresses of one link. */
export const ADDRESSES_MAX = 1024;
const LOOPBACK_MTU = 65536, ETHERNET_MTU = 1500;
export const NO_MAC = "\0".repeat(6);

export class Link {
  readonly kind: LinkKind;
  /** The link table, and so the namespace, that the link is in. */
  table: LinkTable;
  name: string;
  index: number;
  /** Six bytes. */
  mac: string;
  mtu: number;
  txQueueLength = 1000;
  isUp = false;
  /** IFF_PROMISC, IFF_NOARP and other flags that are kept and shown. */
  extraFlags = 0;
  alias = "";
  /** The number of packet sockets that want all frames, and all multicast frames. */
  promiscuity = 0;
  allMulticast = 0;
  readonly addresses: LinkAddress[] = [];
  /** Neighbour entries that were set, by address. */
  readonly neighbours: Map<string, Neighbour> = new Map();
  readonly groups: LinkGroups = new LinkGroups(this);
  readonly received: PacketCounter = new PacketCounter();
  readonly sent: PacketCounter = new PacketCounter();
  /** Of /proc/sys/net/ipv4/conf and ipv6/conf. */
  settings: Readonly<Record<LinkFamily, LinkSettings>>;
  /** The other end of a veth pair; null for other kinds. */
  peer: Link | null = null;
  /** The bridge that the link is a port of. */
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

  /** Whether the other end is up, or a bridge has a port that is. */
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

  /** Sets the MTU; false: out of range. */
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
    return this.fixedFlags | this.extraFlags | (this.isUp ? I.IFF_UP : 0) | running;
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
