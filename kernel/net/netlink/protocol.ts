/**
 * A netlink protocol in a network namespace: its sockets by port id, and the members of its
 * multicast groups (netlink(7)). Replies of the kernel: kernel_side.ts.
 */

import * as N from "../../../ffi/abi/netlink.ts";
import type { NetlinkSocket } from "./netlink_socket.ts";

/**
 * Port ids: the first socket of a process has its pid, further ones have numbers that are no pid.
 */
export class PortIds<T extends object> {
  private readonly ids: Map<number, T> = new Map();
  /** As on Linux, numbers go down from the top of the negative ones. */
  private next: number = 0xfffff000;

  /** The owner of a port id. */
  get(id: number): T | undefined {
    return this.ids.get(id);
  }
  /** False: the port id is taken. */
  take(id: number, owner: T): boolean {
    if (this.ids.has(id)) return false;
    this.ids.set(id, owner);
    return true;
  }
  release(id: number): void {
    this.ids.delete(id);
  }
  choose(pid: number): number {
    if (!this.ids.has(pid)) return pid;
    while (this.ids.has(this.next)) this.next--;
    return this.next;
  }
}

/** Decides which members of a group get a message. */
type Chooser = (socket: NetlinkSocket) => boolean;

export class NetlinkProtocol {
  readonly number: number;
  /** Groups are numbered from 1 to this. */
  readonly groupCount: number;
  /** All open sockets. */
  readonly sockets: Set<NetlinkSocket> = new Set();
  readonly ids: PortIds<NetlinkSocket> = new PortIds();
  private readonly members: Map<number, Set<NetlinkSocket>> = new Map();

  constructor(number: number, groupCount: number) {
    this.number = number;
    this.groupCount = groupCount;
  }

  /**
   * Whether programs may send to each other without CAP_NET_ADMIN; joining groups still needs it.
   */
  get isForUsers(): boolean {
    return this.number === N.NETLINK_USERSOCK;
  }
  /** Whether a group has members. */
  hasMembers(group: number): boolean {
    return this.members.has(group);
  }

  join(socket: NetlinkSocket, group: number): void {
    const there = this.members.get(group);
    if (there === undefined) this.members.set(group, new Set([socket]));
    else there.add(socket);
  }
  leave(socket: NetlinkSocket, group: number): void {
    const there = this.members.get(group);
    there?.delete(socket);
    if (there?.size === 0) this.members.delete(group);
  }

  /** Sends one datagram to all members of a group but its sender. */
  broadcast(
    group: number,
    bytes: Uint8Array<ArrayBuffer>,
    sender: NetlinkSocket | null = null,
    wants: Chooser | null = null,
  ): void {
    for (const socket of this.members.get(group) ?? []) {
      if (socket === sender || (wants !== null && !wants(socket))) continue;
      socket.receiveMessage(bytes, group, sender);
    }
  }
}

/** Linux gives each protocol room for at least 32 groups. */
const GROUPS_MIN = 32;

/** The protocols of a new namespace, by number. */
export function netlinkProtocols(): ReadonlyMap<number, NetlinkProtocol> {
  const groups: [protocol: number, count: number][] = [
    [N.NETLINK_ROUTE, N.RTNLGRP_MAX],
    [N.NETLINK_USERSOCK, GROUPS_MIN],
    [N.NETLINK_SOCK_DIAG, GROUPS_MIN],
    [N.NETLINK_CONNECTOR, GROUPS_MIN],
    [N.NETLINK_KOBJECT_UEVENT, GROUPS_MIN],
    [N.NETLINK_GENERIC, GROUPS_MIN],
  ];
  return new Map(groups.map(([number, count]) => [number, new NetlinkProtocol(number, count)]));
}
