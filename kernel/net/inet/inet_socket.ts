/**
 * Base class of internet sockets (ip(7), ipv6(7)): local and remote endpoint, binding, and the
 * namespace in which a packet arrives: the socket's own, or one that is reached by links.
 */

import { POLLERR, POLLIN, POLLOUT, POLLPRI } from "../../../ffi/abi/poll.ts";
import type { Account } from "../../core/account.ts";
import {
  EACCES,
  EADDRINUSE,
  EADDRNOTAVAIL,
  EAFNOSUPPORT,
  EHOSTUNREACH,
  EINVAL,
  ENETUNREACH,
  ENODEV,
  ENOTCONN,
} from "../../../ffi/abi/errno.ts";
import { CAP_NET_BIND_SERVICE } from "../../../ffi/abi/capability.ts";
import {
  IP_BIND_ADDRESS_NO_PORT,
  IP_MULTICAST_ALL,
  SIOCGARP,
  SockaddrIn,
} from "../../../ffi/abi/inet.ts";
import {
  AF_INET,
  AF_UNSPEC,
  SO_ATTACH_REUSEPORT_CBPF,
  SO_DETACH_REUSEPORT_BPF,
  SO_SELECT_ERR_QUEUE,
  SO_TIMESTAMPING,
  SO_TIMESTAMPING_NEW,
  SOCK_STREAM,
} from "../../../ffi/abi/socket.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import type { ControlWriter } from "../control_writer.ts";
import type { Datagram, DatagramQueue } from "../datagram_queue.ts";
import type { Link } from "../link/link.ts";
import { type Message, PacketHeader, type SocketAddress, type SocketCaller } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { Socket } from "../socket.ts";
import type { OptionValue } from "../socket_options.ts";
import {
  ANY4,
  ANY6,
  destinationOf,
  Endpoint,
  endpointOf,
  isAny,
  isLoopback,
  isMulticast,
  isV4,
  needsScope,
  putEndpoint,
} from "./address.ts";
import { putPacketControl, takeIpControl } from "./ip/ip_control.ts";
import {
  defaultHopLimit,
  defaultTtl,
  getIpOption,
  IpOptions,
  setIpOption,
} from "./ip/ip_options.ts";
import {
  findNamespace,
  type Hop,
  isReachableBack,
  passesReverseFilter,
  UNANSWERED,
} from "../link/reach.ts";
import { isUnanswered, Unanswered } from "./icmp/unanswered.ts";
import type { IpPacket } from "./ip/ip_packet.ts";
import {
  isMultiDestination,
  linkForMulticast,
  sourceForMulticast,
} from "./multicast/group_route.ts";
import { getGroupOption, setGroupOption } from "./multicast/group_options.ts";
import { joinReuse, type ReuseGroup, setReuseProgram } from "./reuse_port.ts";
import type { SocketGroups } from "./multicast/socket_groups.ts";
import { errorLevel, receiveError, reportZerocopy } from "./error_queue.ts";
import { findHardwareAddress } from "../link/arp_ioctl.ts";
import { getTimestamping, setTimestamping } from "./timestamping.ts";
import type { InetPorts, PortTable } from "./ports.ts";

const NO_HEADER = new PacketHeader();

export abstract class InetSocket extends Socket {
  local: Endpoint;
  /** Null: not connected. */
  remote: Endpoint | null = null;
  readonly ip: IpOptions = new IpOptions();
  readonly ports: PortTable;
  /** uid of the creator: SO_REUSEPORT shares a port among sockets of one user only. */
  readonly uid: number;
  /** The socket is in the port table (local.port is not 0). */
  isBound: boolean = false;
  /** The queue that MSG_ERRQUEUE reads; null: it never had an entry. */
  errors: DatagramQueue | null = null;
  /** Packets to neighbours that have not answered. */
  protected unanswered: Unanswered | null = null;
  /** The multicast groups of the socket; null: it never joined one. */
  groups: SocketGroups | null = null;
  /** The local address is a multicast or broadcast address: packets leave with another source. */
  isBoundToMulticast: boolean = false;
  /** The sockets that share its address and port (SO_REUSEPORT); null: there is no such group. */
  reuse: ReuseGroup | null = null;
  /** Packets counted for SO_TIMESTAMPING, and sends counted for SO_ZEROCOPY. */
  sentCount: number = 0;
  zerocopyCount: number = 0;
  /** The parts of `local` that bind(2) chose: they survive a disconnect. */
  private hasOwnAddress: boolean = false;
  private hasOwnPort: boolean = false;

  constructor(
    account: Account,
    net: NetNamespace,
    ports: PortTable,
    family: number,
    type: number,
    protocol: number,
    uid: number,
  ) {
    super(account, net, family, type, protocol);
    this.ports = ports;
    this.uid = uid;
    this.local = new Endpoint(family === AF_INET ? ANY4 : ANY6, 0);
    // As Linux: an AF_INET6 socket receives IPv4 multicast of its own groups only.
    if (family !== AF_INET) this.ip.kept4.set(IP_MULTICAST_ALL, 0);
    this.ip.v6Only = family !== AF_INET && net.number("net/ipv6/bindv6only", 0) !== 0;
    this.ip.ttl = defaultTtl(net);
    this.ip.hopLimit = defaultHopLimit(net);
  }

  get isV6Only(): boolean {
    return this.ip.v6Only;
  }

  /** Whether two sockets bound to overlapping addresses and one port exclude each other. */
  abstract conflictsWith(other: InetSocket): boolean;

  /** Whether both have SO_REUSEPORT and one user. */
  protected sharesPort(other: InetSocket): boolean {
    // A socket whose group was made before its bind(2) shares its port with no other.
    return this.options.reusePort && other.options.reusePort && this.uid === other.uid &&
      (this.reuse === null || this.isBound);
  }

  override bind(caller: SocketCaller, address: SocketAddress): number {
    const { length } = address;
    if (this.family === AF_INET && address.family === AF_UNSPEC && length >= SockaddrIn.size) {
      // As Linux, for compatibility: AF_UNSPEC with address 0 means AF_INET.
      if (address.dv.getUint32(SockaddrIn.at.addr) !== 0) return -EAFNOSUPPORT;
      address.dv.setUint16(0, AF_INET, true);
    }
    const to = endpointOf(address, this.family, false, false);
    return to instanceof Endpoint ? this.bindTo(caller, to) : to ?? -EINVAL;
  }

  protected bindTo(caller: SocketCaller, to: Endpoint): number {
    if (this.isV6Only && isV4(to.address)) return -EINVAL;
    if (!this.mayBind(to.address)) return -EADDRNOTAVAIL;
    const link = this.scopeOf(to);
    if (typeof link === "number") return link;
    const isPrivileged = to.port > 0 && to.port < this.net.firstUnprivilegedPort;
    if (isPrivileged && !this.net.isCapable(caller.cred, CAP_NET_BIND_SERVICE)) return -EACCES;
    if (this.isBound || this.remote !== null) return -EINVAL;
    const before = this.local;
    this.local = new Endpoint(to.address, 0, to.scope);
    // IP_BIND_ADDRESS_NO_PORT: connect(2) or listen(2) chooses the port later.
    const isLater = to.port === 0 && (this.ip.kept4.get(IP_BIND_ADDRESS_NO_PORT) ?? 0) !== 0;
    const taken = isLater ? 0 : this.takePort(to.port);
    if (taken < 0) {
      this.local = before;
      return taken;
    }
    if (link !== null) this.options.deviceIndex = link.index;
    this.isBoundToMulticast = isMultiDestination(this.net.links, to.address);
    this.hasOwnAddress = !isAny(to.address);
    // As Linux: a socket bound to an IPv6 address shows IPV6_V6ONLY.
    if (this.hasOwnAddress && !isV4(to.address)) this.ip.v6Only = true;
    this.hasOwnPort = to.port !== 0;
    return 0;
  }

  protected mayBind(address: string): boolean {
    if (isAny(address) || isLoopback(address)) return true;
    if (this.ip.freeBind || this.ip.transparent) return true;
    const family = isV4(address) ? "ipv4" : "ipv6";
    if (this.net.number(`net/${family}/ip_nonlocal_bind`, 0) !== 0) return true;
    if (this.net.links.linkOf(address) !== null) return true;
    return isMultiDestination(this.net.links, address);
  }

  /**
   * The link that a link-local group binds the socket to; null: none. -ENODEV: no such link;
   * -EINVAL: the address names no link and the socket is bound to none.
   */
  private scopeOf({ address, scope }: Endpoint): Link | null | number {
    if (!isMulticast(address) || !needsScope(address)) return null;
    if (scope !== 0) return this.net.links.byIndex(scope) ?? -ENODEV;
    return this.options.deviceIndex === 0 ? -EINVAL : null;
  }

  /** Binds to a port; 0: to an ephemeral one. 0 or -EADDRINUSE. */
  takePort(port: number): number {
    const chosen = port === 0 ? this.ports.chooseEphemeral(this) : port;
    if (chosen < 0 || !this.ports.isFree(this, chosen)) return -EADDRINUSE;
    this.local = new Endpoint(this.local.address, chosen, this.local.scope);
    this.ports.add(this, chosen);
    this.isBound = true;
    if (this.type !== SOCK_STREAM) joinReuse(this);
    return 0;
  }

  /** Leaves the port table. */
  releasePort(): void {
    this.reuse?.leave(this);
    if (!this.isBound) return;
    this.ports.remove(this, this.local.port);
    this.isBound = false;
  }

  /** connect(2) with AF_UNSPEC: restore what bind(2) set. */
  protected forgetRemote(): void {
    this.remote = null;
    if (!this.hasOwnPort) {
      this.releasePort();
      this.local = new Endpoint(this.local.address, 0);
    }
    if (!this.hasOwnAddress) {
      const any = this.family === AF_INET ? ANY4 : ANY6;
      this.local = new Endpoint(any, this.local.port);
    }
  }

  /**
   * connect(2) of a socket without connections: set the peer of its datagrams; null: no peer.
   * `needsPort`: bind the socket to an ephemeral port if it has none.
   */
  protected associate(to: Endpoint | null, needsPort: boolean): number {
    if (to === null) {
      this.forgetRemote();
      return 0;
    }
    const link = this.ip.groupLink6 === 0 ? this.scopeOf(to) : null;
    if (typeof link === "number") return link;
    const route = this.routeDatagram(to, NO_HEADER);
    if (typeof route === "number") return route;
    if (needsPort && !this.isBound && this.takePort(0) < 0) return -EADDRINUSE;
    this.remote = route;
    if (this.isBoundToMulticast) return 0;
    const source = this.sourceAddress(route.address, NO_HEADER, route.scope);
    this.local = new Endpoint(source, this.local.port).on(route.scope);
    return 0;
  }

  /** As `routeTo`, for datagrams; -EACCES: a broadcast without SO_BROADCAST. */
  protected routeDatagram(to: Endpoint, header: PacketHeader): Endpoint | number {
    const { address } = to;
    if (!isMultiDestination(this.net.links, address)) return this.routeTo(to);
    if (isV4(address) && this.isV6Only) return -ENETUNREACH;
    const link = linkForMulticast(this, to, header);
    if (typeof link === "number") return link;
    return isMulticast(address) || this.options.broadcast ? to : -EACCES;
  }

  /** The endpoint that packets to `to` are sent to, or -ENETUNREACH, -EINVAL. */
  routeTo(to: Endpoint): Endpoint | number {
    const address = destinationOf(to.address), own = this.local.address;
    if (isV4(address) && this.isV6Only) return -ENETUNREACH;
    const { deviceIndex } = this.options;
    const target = findNamespace(this.net, address, null, deviceIndex);
    // A datagram leaves by the link its sender is bound to, and is lost if no station takes it.
    const isLost = target === -EHOSTUNREACH && deviceIndex !== 0 && this.type !== SOCK_STREAM;
    if (typeof target === "number" && !isLost && target !== UNANSWERED) return target;
    // A socket bound to an address of the other family cannot send there.
    if (!isAny(own) && isV4(own) !== isV4(address)) return isV4(own) ? -ENETUNREACH : -EINVAL;
    return address === to.address ? to : new Endpoint(address, to.port);
  }

  /** The source address of packets to `destination`. */
  sourceAddress(
    destination: string,
    header: PacketHeader = NO_HEADER,
    scope: number = 0,
  ): string {
    const { links } = this.net, own = this.local.address;
    if (isMultiDestination(links, destination)) {
      const link = linkForMulticast(this, new Endpoint(destination, 0, scope), header);
      if (typeof link !== "number") return sourceForMulticast(this, link, destination, header);
    }
    if (!isAny(own) && !this.isBoundToMulticast) return own;
    return links.sourceFor(destination, this.options.deviceIndex);
  }

  /** Whether the socket takes a multicast or broadcast packet from `source` that came by `link`. */
  takesMulticast(link: Link, source: string, group: string): boolean {
    const { deviceIndex } = this.options;
    if (deviceIndex !== 0 && deviceIndex !== link.index) return false;
    if (!isMulticast(group)) return true;
    return this.groups?.allows(group, source, link) ?? this.ip.takesAllGroups(group);
  }

  /**
   * The port tables of the namespace where packets from `source` to `destination` arrive. Null: the
   * packets are lost, or `needsAnswers` and the reply has no route.
   */
  protected arrival(
    source: string,
    destination: string,
    needsAnswers: boolean = true,
  ): InetPorts | null {
    const { deviceIndex } = this.options;
    if (isLoopback(destination) && deviceIndex === 0) return this.net.inet;
    const hops: Hop[] = [], target = findNamespace(this.net, destination, hops, deviceIndex);
    if (typeof target === "number" || !passesReverseFilter(hops, source)) return null;
    return !needsAnswers || isReachableBack(target, source, this.net) ? target.inet : null;
  }

  /** Handles a lost packet with the message `bytes`: it waits if its neighbour may still answer. */
  protected loseDatagram(bytes: Uint8Array<ArrayBuffer>, to: Endpoint, packet: IpPacket): void {
    if (!isUnanswered(this, to.address)) return;
    this.unanswered ??= new Unanswered(this);
    this.unanswered.add(bytes, to, packet);
  }

  /** SOCK_DESTROY of sock_diag(7): the next call on the socket fails with `error`. */
  abort(error: number): void {
    this.error = error;
    this.forgetRemote();
    this.queue.wake(POLLERR | POLLIN | POLLOUT);
  }

  override localName(out: SocketAddress): number {
    putEndpoint(this.local, this.family, out);
    return 0;
  }

  override peerName(out: SocketAddress): number {
    // Port 0 means no peer, also for sockets without ports.
    if (this.remote === null || this.remote.port === 0) return -ENOTCONN;
    putEndpoint(this.remote, this.family, out);
    return 0;
  }

  override ioctl(request: number, arg: number, user: UserMemory): number {
    if (request !== SIOCGARP || this.family !== AF_INET) return super.ioctl(request, arg, user);
    return findHardwareAddress(this.net.links, arg, user);
  }

  override setProtocolOption(level: number, name: number, value: OptionValue): number {
    return setGroupOption(this, level, name, value) ?? setIpOption(this, level, name, value);
  }
  override getProtocolOption(level: number, name: number, value: OptionValue): number {
    return getGroupOption(this, level, name, value) ?? getIpOption(this, level, name, value);
  }
  override describeMessage(message: Message, out: ControlWriter): void {
    putPacketControl(this, message, out);
    const { error } = message;
    if (error === null) return;
    const [level, type] = errorLevel(this.family);
    if (out.room > 0) out.u8.set(error, out.data);
    out.put(level, type, error.length);
  }

  override receiveError(io: IoCursor, message: Message): number {
    return receiveError(this, io, message);
  }
  override reportZerocopy(): void {
    reportZerocopy(this);
  }
  /** The bits of poll(2) for pending errors. */
  protected get errorBits(): number {
    const { error, errors, options } = this;
    if (error === 0 && (errors === null || errors.count === 0)) return 0;
    return options.unused.has(SO_SELECT_ERR_QUEUE) ? POLLERR | POLLPRI : POLLERR;
  }

  /** Puts the time of arrival into a datagram if the socket wants it. */
  stamp(datagram: Datagram): void {
    const { host } = this.net;
    if (!this.options.wantsTimes) return;
    datagram.timeSec = host.realtimeSec();
    datagram.timeNsec = host.realtimeNsec();
  }

  override setSocketOption(caller: SocketCaller, name: number, value: OptionValue): number {
    if (name === SO_ATTACH_REUSEPORT_CBPF || name === SO_DETACH_REUSEPORT_BPF) {
      return setReuseProgram(this, name, value);
    }
    return this.isTimestamping(name)
      ? setTimestamping(this, name, value)
      : super.setSocketOption(caller, name, value);
  }
  override getSocketOption(name: number, value: OptionValue): number {
    return this.isTimestamping(name)
      ? getTimestamping(this, name, value)
      : super.getSocketOption(name, value);
  }
  private isTimestamping(name: number): boolean {
    return this.type !== SOCK_STREAM &&
      (name === SO_TIMESTAMPING || name === SO_TIMESTAMPING_NEW);
  }
  override takeControl(
    message: Message,
    level: number,
    type: number,
    dv: DataView,
    at: number,
    length: number,
  ): number {
    return takeIpControl(this, message.header, level, type, dv, at, length);
  }
}
