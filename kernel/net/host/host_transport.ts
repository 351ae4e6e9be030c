/**
 * The transport of host sockets: internet sockets are the host's, in the network namespace of this
 * process. Links are those of that namespace and cannot be changed by guests.
 */

import {
  EACCES,
  EFAULT,
  EMFILE,
  ENFILE,
  ENOTTY,
  EPERM,
  EPROTONOSUPPORT,
  ESOCKTNOSUPPORT,
} from "../../../ffi/abi/errno.ts";
import { CAP_NET_RAW } from "../../../ffi/abi/capability.ts";
import * as I from "../../../ffi/abi/inet.ts";
import { AF_INET, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import { HostDescriptors } from "../../core/host_descriptors.ts";
import type { HostNetwork } from "../../core/host_network.ts";
import { HOST_SOCKETS } from "../../core/quota.ts";
import { hasCap } from "../../cred/credentials.ts";
import type { NetDevice } from "../../core/net_device.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import type { SocketCaller } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import type { RouteRequest } from "../netlink/request.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";
import { mayPing } from "../inet/icmp/ping_socket.ts";
import type { Socket } from "../socket.ts";
import type { Transport } from "../transport.ts";
import { BOUNCE_AT, VALUE_AT } from "./message_area.ts";
import { HostLinks } from "./host_links.ts";
import { HostSocket } from "./host_socket.ts";

/** Ioctls that ask about one interface (netdevice(7)) with a struct ifreq. */
export const INTERFACE_QUESTIONS: readonly number[] = [
  I.SIOCGIFNAME,
  I.SIOCGIFFLAGS,
  I.SIOCGIFADDR,
  I.SIOCGIFDSTADDR,
  I.SIOCGIFBRDADDR,
  I.SIOCGIFNETMASK,
  I.SIOCGIFMETRIC,
  I.SIOCGIFMTU,
  I.SIOCGIFHWADDR,
  I.SIOCGIFINDEX,
  I.SIOCGIFTXQLEN,
];
/** LIMIT: bytes of a list of interfaces. */
const MAX_LIST = 65536;
const MAX_PROTOCOL = 255;

export class HostTransport implements Transport {
  readonly name = "host";
  private readonly net: NetNamespace;
  private readonly network: HostNetwork;
  private readonly links: HostLinks;
  private readonly descriptors: HostDescriptors;
  /** The socket for ioctls; -1: not made yet. */
  private fd: number = -1;

  constructor(net: NetNamespace, network: HostNetwork) {
    this.net = net;
    this.network = network;
    this.links = new HostLinks(net.host, network);
    this.descriptors = new HostDescriptors(HOST_SOCKETS, network.maxSockets);
  }

  /** Whether the host's namespace has links, or host networking was asked for. */
  get isWanted(): boolean {
    return !this.network.isOptional || this.links.hasLinks();
  }

  createSocket(
    caller: SocketCaller,
    family: number,
    type: number,
    protocol: number,
  ): Socket | number {
    const chosen = protocolOf(family, type, protocol);
    if (chosen < 0) return chosen;
    if (type === SOCK_RAW && !hasCap(caller.cred, CAP_NET_RAW)) return -EPERM;
    const isPing = type === SOCK_DGRAM &&
      (chosen === I.IPPROTO_ICMP || chosen === I.IPPROTO_ICMPV6);
    if (isPing && !mayPing(this.net, caller)) return -EACCES;
    if (!this.descriptors.hasRoom(caller.account)) return -ENFILE;
    const fd = this.network.socket(family, type, chosen);
    if (fd < 0) return fd === -EMFILE ? -ENFILE : fd;
    const { net, network, descriptors } = this;
    return new HostSocket(
      caller.account,
      net,
      network,
      descriptors,
      fd,
      family,
      type,
      chosen,
      caller.cred.fsuid,
    );
  }

  interfaceIoctl(
    request: number,
    arg: number,
    user: UserMemory,
    _caller: SocketCaller | null,
  ): number {
    if (request === I.SIOCGIFCONF) return this.listInterfaces(arg, user);
    if (request < I.SIOCADDRT || request > I.SIOCETHTOOL) return -ENOTTY;
    const { area } = this.network, size = I.Ifreq.size;
    if (user.copyIn(area.u8, VALUE_AT, arg, size) < 0) return -EFAULT;
    // Interfaces of the host cannot be changed.
    if (!INTERFACE_QUESTIONS.includes(request)) return isChange(request) ? -EPERM : -ENOTTY;
    const r = this.askHost(request);
    return r < 0 ? r : user.copyOut(arg, area.u8, VALUE_AT, size);
  }

  /** SIOCGIFCONF; without a buffer it reports the bytes needed. */
  private listInterfaces(arg: number, user: UserMemory): number {
    const { at } = I.Ifconf, { area } = this.network;
    const room = user.load32(arg + at.len), to = user.load64(arg + at.buf);
    if (room < 0 || to < 0) return -EFAULT;
    const bytes = Math.max(0, Math.min(room | 0, MAX_LIST));
    const buffer = to === 0 ? 0 : area.address + BOUNCE_AT;
    area.dv.setInt32(VALUE_AT + at.len, bytes, true);
    area.dv.setUint32(VALUE_AT + at.buf, buffer, true);
    area.dv.setUint32(VALUE_AT + at.buf + 4, Math.floor(buffer / 0x100000000), true);
    const r = this.askHost(I.SIOCGIFCONF);
    if (r < 0) return r;
    const length = area.dv.getInt32(VALUE_AT + at.len, true);
    const stored = Math.min(length, bytes);
    if (to !== 0 && stored > 0 && user.copyOut(to, area.u8, BOUNCE_AT, stored) < 0) return -EFAULT;
    return user.store32(arg + at.len, length);
  }

  /** Runs an ioctl on the struct at VALUE_AT. */
  private askHost(request: number): number {
    if (this.fd < 0) this.fd = this.network.socket(AF_INET, SOCK_DGRAM, 0);
    if (this.fd < 0) return this.fd;
    return this.net.host.ioctl(this.fd, request, this.network.area.address + VALUE_AT);
  }

  answerRoute(request: RouteRequest, out: NetlinkWriter): number {
    return this.links.answer(request, out);
  }
  devices(): readonly NetDevice[] {
    return this.links.devices();
  }
  table(name: string): string | null {
    return this.network.table(name);
  }
}

/** Whether the request changes an interface or a route (SIOCSIF*, SIOCADDRT and the like). */
function isChange(request: number): boolean {
  return [I.SIOCADDRT, I.SIOCDELRT, I.SIOCSIFFLAGS, I.SIOCSIFADDR, I.SIOCSIFNETMASK, I.SIOCSIFMTU]
    .includes(request);
}

/** The protocol of a new socket, or -errno. */
function protocolOf(family: number, type: number, protocol: number): number {
  switch (type) {
    case SOCK_STREAM:
      return protocol === 0 || protocol === I.IPPROTO_TCP ? I.IPPROTO_TCP : -EPROTONOSUPPORT;
    case SOCK_DGRAM: {
      if (protocol === 0) return I.IPPROTO_UDP;
      const ping = family === AF_INET ? I.IPPROTO_ICMP : I.IPPROTO_ICMPV6;
      const isKnown = protocol === I.IPPROTO_UDP || protocol === I.IPPROTO_UDPLITE ||
        protocol === ping;
      return isKnown ? protocol : -EPROTONOSUPPORT;
    }
    case SOCK_RAW:
      return protocol > 0 && protocol <= MAX_PROTOCOL ? protocol : -EPROTONOSUPPORT;
    default:
      return -ESOCKTNOSUPPORT;
  }
}
