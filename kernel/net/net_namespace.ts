/**
 * A network namespace: the sockets, names and ports, settings, links, and the transport for
 * internet packets. Families register here (families.ts); what all namespaces share is in
 * net_shared.ts.
 */

import { AF_MAX } from "../../ffi/abi/socket.ts";
import type { Account } from "../core/account.ts";
import { EAFNOSUPPORT, EINVAL } from "../../ffi/abi/errno.ts";
import { DeferredWork } from "../core/deferred_work.ts";
import type { Host } from "../core/host.ts";
import type { HostNetwork } from "../core/host_network.ts";
import { KernelBug } from "../core/kernel_bug.ts";
import { WaitQueue } from "../core/wait.ts";
import { type Credentials, hasCapIn } from "../cred/credentials.ts";
import { Namespace } from "../cred/namespace.ts";
import { INITIAL_USER_NAMESPACE, type UserNamespace } from "../cred/user_namespace.ts";
import type { NetTables } from "../proc/fs/net_tables.ts";
import { SysctlStore } from "../proc/fs/sysctl_store.ts";
import type { FrameAllocator } from "../mm/frames.ts";
import type { TimerQueue } from "../time/timer.ts";
import type { SocketCaller } from "./message.ts";
import type { InetPorts } from "./inet/ports.ts";
import { ProcConnector } from "./netlink/proc_connector.ts";
import { Taps } from "./packet/taps.ts";
import type { NetShared } from "./net_shared.ts";
import { type NetlinkProtocol, netlinkProtocols } from "./netlink/protocol.ts";
import { settingsAt } from "./link/link_settings.ts";
import { LinkTable } from "./link/link_table.ts";
import type { Socket } from "./socket.ts";
import { SocketIndex } from "./socket_index.ts";
import { Traffic } from "./traffic/counters.ts";
import type { Transport } from "./transport.ts";

/** An address family: makes sockets and pairs. */
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

/** A transport that may be chosen; not if `isWanted` is false. */
interface OfferedTransport extends Transport {
  readonly isWanted?: boolean;
}

/** /proc/sys/net/ipv4/ip_unprivileged_port_start. */
const FIRST_UNPRIVILEGED = 1024;
/** Settings that a new namespace takes over from the first one. */
const INHERITED: readonly string[] = [
  "net/ipv4/tcp_congestion_control",
  "net/ipv4/tcp_rmem",
  "net/ipv4/tcp_wmem",
];
/** LIMIT: socket types (SOCK_MAX). */
const SOCK_MAX = 11;

export class NetNamespace extends Namespace {
  override readonly kind = "net";
  readonly shared: NetShared;
  /** SO_NETNS_COOKIE: a number that no other namespace has. */
  readonly cookie: number;
  readonly frames: FrameAllocator;
  readonly host: Host;
  readonly timers: TimerQueue;
  /** Work that closed sockets leave for later turns. */
  readonly deferred: DeferredWork;
  /** The links, while the kernel carries the packets itself. */
  readonly links: LinkTable;
  /**
   * The ports of the loopback transport; null: no socket here can be reached from other namespaces.
   */
  inet: InetPorts | null = null;
  /** The host's network; null: this namespace does not use it. */
  readonly network: HostNetwork | null;
  /** The packet sockets that watch the links. */
  readonly taps: Taps;
  /** Counters of packets. */
  readonly traffic: Traffic = new Traffic();
  /** The protocols of AF_NETLINK by number. */
  readonly netlink: ReadonlyMap<number, NetlinkProtocol> = netlinkProtocols();
  /** The process events connector; null: not in this namespace. */
  readonly connector: ProcConnector | null;
  /** Settings of /proc/sys/net; null: Linux's defaults. */
  readonly settings: SysctlStore | null;
  /** Woken when a TCP socket begins to listen. */
  readonly listens: WaitQueue = new WaitQueue();
  /** All open sockets. */
  readonly sockets: SocketIndex = new SocketIndex();
  /** The tables of /proc/net; null until they are first read. */
  tables: NetTables | null = null;
  /** Servers whose TCP_FASTOPEN cookie is known, by address. */
  readonly cookies: Set<string> = new Set();
  private readonly offered: OfferedTransport[] = [];
  private chosen: Transport | null = null;
  private readonly families: (SocketFamily | null)[] = new Array<SocketFamily | null>(AF_MAX)
    .fill(null);

  /** `first`: the kernel's first namespace, whose settings are inherited; null: this is it. */
  constructor(
    account: Account,
    shared: NetShared,
    network: HostNetwork | null = null,
    owner: UserNamespace = INITIAL_USER_NAMESPACE,
    first: NetNamespace | null = null,
  ) {
    super(owner, first === null);
    this.shared = shared;
    this.cookie = shared.nextCookie();
    this.frames = shared.frames;
    this.host = shared.host;
    this.timers = shared.timers;
    this.deferred = shared.deferred;
    this.network = network;
    this.taps = new Taps(shared);
    this.connector = first === null ? new ProcConnector(this) : null;
    this.settings = first === null ? shared.settings : inheritedSettings(first);
    this.links = new LinkTable(account, this);
    // As Linux does for the first namespace of a machine.
    if (first === null) this.links.setUp(this.links.lo, true);
    else this.links.settings.ipv4.inherit(first.links.settings.ipv4);
  }

  /** Offer a transport. The last one offered that is wanted is chosen. */
  offer(transport: OfferedTransport): void {
    this.offered.push(transport);
  }

  /** Chosen at the first use, when the first guest runs, and fixed from then on. */
  get transport(): Transport {
    this.chosen ??= this.offered.findLast((t) => t.isWanted !== false) ?? null;
    if (this.chosen === null) throw new KernelBug("a network namespace without a transport");
    return this.chosen;
  }

  /** Takes over settings of the host's network, by path below /proc/sys. */
  adopt(values: ReadonlyMap<string, string>): void {
    this.settings?.adopt(values);
    for (const [path, value] of values) {
      const [, family, where, name] = /^net\/(ipv[46])\/conf\/(\w+)\/(\w+)$/.exec(path) ?? [];
      if (where === undefined || name === undefined) continue;
      const at = settingsAt(this.links, family === "ipv4" ? family : "ipv6", where);
      at?.set(name, Number(value));
    }
  }

  /** Text of a setting of /proc/sys; "": there is none. */
  setting(path: string): string {
    return this.settings?.get(path) ?? "";
  }

  /** The task whose call is served now; null: none. */
  get caller(): SocketCaller | null {
    return this.shared.calls?.current ?? null;
  }

  /** The first number of a setting. */
  number(path: string, withoutSettings: number): number {
    return this.settings?.number(path) ?? withoutSettings;
  }

  /** Lower ports need CAP_NET_BIND_SERVICE. */
  get firstUnprivilegedPort(): number {
    return this.number("net/ipv4/ip_unprivileged_port_start", FIRST_UNPRIVILEGED);
  }

  /** Whether the credentials have the capability in the namespace's owning user namespace. */
  isCapable(cred: Credentials, capability: number): boolean {
    return this.owner !== null && hasCapIn(cred, this.owner, capability);
  }

  protected override release(): void {
    this.links.release();
  }

  register(family: number, maker: SocketFamily): void {
    this.families[family] = maker;
  }

  /** The family, or -EAFNOSUPPORT; `type` must be a known type. */
  familyOf(family: number, type: number): SocketFamily | number {
    if (family < 0 || family >= AF_MAX) return -EAFNOSUPPORT;
    if (type < 0 || type >= SOCK_MAX) return -EINVAL;
    return this.families[family] ?? -EAFNOSUPPORT;
  }
}

/** The settings that a new namespace takes over. */
function inheritedSettings(first: NetNamespace): SysctlStore {
  const settings = new SysctlStore();
  for (const path of INHERITED) settings.set(path, first.setting(path));
  return settings;
}
