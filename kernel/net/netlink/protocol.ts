/**
 * One protocol of netlink in a network namespace: its sockets by port id, and who hears of which of its multicast
 * groups (netlink(7)). What the kernel answers is in netlink_socket.ts and behind it.
 */

import * as N from "../../../ffi/abi/netlink.ts";
import type { NetlinkSocket } from "./netlink_socket.ts";

/** Port ids: a process's first socket has its pid, further ones have numbers that are no pid. */
class PortIds<T extends object> {
  private readonly ids: Map<number, T> = new Map();
  /** As Linux, from the top of the negative numbers down. */
  private next: number = 0xfffff000;

  /** Who has it. */
  get(id: number): T | undefined {
    return this.ids.get(id);
  }
  /** False: somebody has it. */
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

/** Members of a group are asked whether they want a message; the bytes are the message. */
export type Chooser = (socket: NetlinkSocket) => boolean;

export class NetlinkProtocol {
  readonly number: number;
  /** Groups are 1 to this. */
  readonly groupCount: number;
  /** All that are open. */
  readonly sockets: Set<NetlinkSocket> = new Set();
  readonly ids: PortIds<NetlinkSocket> = new PortIds();
  private readonly members: Map<number, Set<NetlinkSocket>> = new Map();

  constructor(number: number, groupCount: number) {
    this.number = number;
    this.groupCount = groupCount;
  }

  /** Programs may talk to each other without CAP_NET_ADMIN; and without it they hear of no groups. */
  get isForUsers(): boolean {
    return this.number === N.NETLINK_USERSOCK;
  }
  /** Somebody listens: an expensive message is worth making. */
  isHeard(group: number): boolean {
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

  /** One datagram to all of a group but its sender. */
  broadcast(
    group: number,
    bytes: Uint8Array<ArrayBuffer>,
    sender: NetlinkSocket | null = null,
    wants: Chooser | null = null,
  ): void {
    for (const socket of this.members.get(group) ?? []) {
      if (socket === sender || (wants !== null && !wants(socket))) continue;
      socket.hear(bytes, group, sender);
    }
  }
}

/** Linux gives each protocol room for 32 groups at least. */
const GROUPS_MIN = 32;

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
