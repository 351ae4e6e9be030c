/**
 * Links, addresses and routes of the host's namespace for guests: rtnetlink, whose replies are
 * passed on, and lists for /proc and /sys. Nothing is cached: each request asks the host, so that
 * new links show.
 */

import { EAFNOSUPPORT, EINVAL, ENODEV, EOPNOTSUPP, EPERM } from "../../../ffi/abi/errno.ts";
import { IFF_LOOPBACK, IFF_RUNNING, IFF_UP } from "../../../ffi/abi/inet.ts";
import * as N from "../../../ffi/abi/netlink.ts";
import { AF_INET, AF_INET6 } from "../../../ffi/abi/socket.ts";
import type { Host } from "../../core/host.ts";
import type { HostNetwork } from "../../core/host_network.ts";
import { linkCounters } from "../../core/link_counters.ts";
import type { NetDevice } from "../../core/net_device.ts";
import { answerNoNsid, attributeBytes, type RouteRequest } from "../netlink/request.ts";
import type { NetlinkWriter } from "../netlink/writer.ts";
import { NetlinkClient } from "./netlink_client.ts";

/** Bytes of the fixed part of requests that can be dumped; its first byte is the family. */
const DUMPS: ReadonlyMap<number, number> = new Map([
  [N.RTM_GETLINK, N.Ifinfomsg.size],
  [N.RTM_GETADDR, N.Ifaddrmsg.size],
  [N.RTM_GETROUTE, N.Rtmsg.size],
  [N.RTM_GETNEIGH, 12],
  [N.RTM_GETRULE, 12],
]);
/** Attributes of `ip route get` with an address or a number, and flags. */
const ROUTE_ATTRIBUTES: readonly number[] = [N.RTA_DST, N.RTA_SRC, N.RTA_IIF, N.RTA_OIF];
const ROUTE_FLAGS = 0x3000;
const HEADER = N.Nlmsghdr.size;

export class HostLinks {
  private readonly client: NetlinkClient;

  constructor(host: Host, network: HostNetwork) {
    this.client = new NetlinkClient(host, network);
  }

  /** Whether a link other than the loopback is up. */
  hasLinks(): boolean {
    return this.devices().some((d) => (d.flags & IFF_UP) !== 0 && (d.flags & IFF_LOOPBACK) === 0);
  }

  devices(): readonly NetDevice[] {
    const found: NetDevice[] = [];
    if (this.dump(N.RTM_GETLINK, 0) < 0) return found;
    this.eachMessage((type, body) => {
      if (type === N.RTM_NEWLINK && body.byteLength >= N.Ifinfomsg.size) found.push(deviceOf(body));
    });
    return found;
  }

  answer(r: RouteRequest, out: NetlinkWriter): number {
    const { type } = r.request;
    if (type === N.RTM_GETNSID) return answerNoNsid(r, out);
    if (!DUMPS.has(type)) return isQuestion(type) ? -EOPNOTSUPP : -EPERM;
    if (r.isDump) {
      const failed = this.dump(type, r.family);
      return failed < 0 ? failed : this.passAll(r, out);
    }
    if (type === N.RTM_GETLINK) return this.answerLink(r, out);
    return type === N.RTM_GETROUTE ? this.answerRoute(r, out) : -EOPNOTSUPP;
  }

  private dump(type: number, family: number): number {
    const body = new Uint8Array(DUMPS.get(type) ?? 0);
    body[0] = family;
    return this.client.ask(type, N.NLM_F_DUMP, body);
  }

  /** RTM_GETLINK for one link, by index or name. */
  private answerLink(r: RouteRequest, out: NetlinkWriter): number {
    if (r.body.byteLength < N.Ifinfomsg.size) return -EINVAL;
    const index = r.body.getInt32(N.Ifinfomsg.at.index, true);
    const name = textOf(r.body, N.Ifinfomsg.size, N.IFLA_IFNAME);
    if (index === 0 && name === "") return -EINVAL;
    const failed = this.dump(N.RTM_GETLINK, 0);
    if (failed < 0) return failed;
    let isFound = false;
    this.eachMessage((type, body, at) => {
      if (isFound || type !== N.RTM_NEWLINK || body.byteLength < N.Ifinfomsg.size) return;
      isFound = index !== 0
        ? body.getInt32(N.Ifinfomsg.at.index, true) === index
        : textOf(body, N.Ifinfomsg.size, N.IFLA_IFNAME) === name;
      if (isFound) this.passMessage(r, at, body.byteLength, out, 0);
    });
    return isFound ? 0 : -ENODEV;
  }

  /** `ip route get`: the route to an address. */
  private answerRoute(r: RouteRequest, out: NetlinkWriter): number {
    const { family, body } = r;
    if (family !== AF_INET && family !== AF_INET6) return -EAFNOSUPPORT;
    if (body.byteLength < N.Rtmsg.size) return -EINVAL;
    const bytes = family === AF_INET ? 4 : 16;
    const request = new Uint8Array(N.Rtmsg.size + ROUTE_ATTRIBUTES.length * (4 + bytes));
    const dv = new DataView(request.buffer), at = N.Rtmsg.at;
    request[at.family] = family;
    request[at.dstLen] = body.getUint8(at.dstLen);
    request[at.srcLen] = body.getUint8(at.srcLen);
    dv.setUint32(at.flags, body.getUint32(at.flags, true) & ROUTE_FLAGS, true);
    let length = N.Rtmsg.size;
    for (const type of ROUTE_ATTRIBUTES) {
      const data = attributeBytes(body, N.Rtmsg.size, type);
      if (data === "") continue;
      const wanted = type === N.RTA_DST || type === N.RTA_SRC ? bytes : 4;
      if (data.length !== wanted) return -EINVAL;
      dv.setUint16(length + N.Rtattr.at.len, N.Rtattr.size + wanted, true);
      dv.setUint16(length + N.Rtattr.at.type, type, true);
      for (let i = 0; i < wanted; i++) request[length + 4 + i] = data.charCodeAt(i);
      length += N.Rtattr.size + wanted;
    }
    const failed = this.client.ask(N.RTM_GETROUTE, 0, request.subarray(0, length));
    return failed < 0 ? failed : this.passAll(r, out);
  }

  private passAll(r: RouteRequest, out: NetlinkWriter): number {
    const flags = r.isDump ? N.NLM_F_MULTI : 0;
    this.eachMessage((_type, body, at) => this.passMessage(r, at, body.byteLength, out, flags));
    return 0;
  }

  /** Passes on one message of the host as a reply to the guest's request. */
  private passMessage(
    r: RouteRequest,
    at: number,
    bytes: number,
    out: NetlinkWriter,
    flags: number,
  ): void {
    const { u8, dv } = this.client, type = dv.getUint16(at + N.Nlmsghdr.at.type, true);
    const body = out.begin(r.request, type, flags, bytes);
    out.u8.set(u8.subarray(at + HEADER, at + HEADER + bytes), body);
    out.end();
  }

  /** Visits all messages of the last reply: the type, the body, and the offset of the header. */
  private eachMessage(visit: (type: number, body: DataView, at: number) => void): void {
    const { dv, length } = this.client;
    for (let at = 0; at + HEADER <= length;) {
      const size = dv.getUint32(at + N.Nlmsghdr.at.len, true);
      if (size < HEADER || at + size > length) return;
      const body = new DataView(dv.buffer, at + HEADER, size - HEADER);
      visit(dv.getUint16(at + N.Nlmsghdr.at.type, true), body, at);
      at += (size + 3) & ~3;
    }
  }
}

/** Whether the type is RTM_GET*, the third in each group of four. */
function isQuestion(type: number): boolean {
  return (type & 3) === 2;
}

function textOf(body: DataView, from: number, type: number): string {
  return attributeBytes(body, from, type).replace(/\0[^]*$/, "");
}

function deviceOf(body: DataView): NetDevice {
  const at = N.Ifinfomsg.at, from = N.Ifinfomsg.size;
  const stats = attributeBytes(body, from, N.IFLA_STATS64);
  return {
    name: textOf(body, from, N.IFLA_IFNAME),
    index: body.getInt32(at.index, true),
    mtu: number(attributeBytes(body, from, N.IFLA_MTU), 0),
    address: hardwareAddress(attributeBytes(body, from, N.IFLA_ADDRESS)),
    broadcast: hardwareAddress(attributeBytes(body, from, N.IFLA_BROADCAST)),
    type: body.getUint16(at.type, true),
    flags: body.getUint32(at.flags, true) & 0xffff & ~IFF_RUNNING,
    txQueueLen: number(attributeBytes(body, from, N.IFLA_TXQLEN), 0),
    counters: linkCounters((i) => counter(stats, 8 * i)),
  };
}

/** The u32 at `at` in the bytes of an attribute. */
function number(bytes: string, at: number): number {
  let n = 0;
  for (let i = 3; i >= 0; i--) n = n * 256 + (at + i < bytes.length ? bytes.charCodeAt(at + i) : 0);
  return n;
}

function counter(bytes: string, at: number): number {
  return number(bytes, at) + number(bytes, at + 4) * 0x100000000;
}

function hardwareAddress(bytes: string): string {
  return [...bytes].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join(":");
}
