/**
 * PACKET_ADD_MEMBERSHIP and PACKET_DROP_MEMBERSHIP of packet(7). Every frame of a link reaches its
 * packet sockets anyway; memberships only make the link show that it is promiscuous.
 */

import { EINVAL, ENOBUFS, ENODEV } from "../../../ffi/abi/errno.ts";
import * as P from "../../../ffi/abi/packet.ts";
import { bytesToString } from "../../core/bytes.ts";
import type { Link } from "../link/link.ts";
import type { NetNamespace } from "../net_namespace.ts";
import type { OptionValue } from "../socket_options.ts";

/** LIMIT: memberships of one socket. */
const MEMBERSHIPS_MAX = 256;

interface Membership {
  readonly link: Link;
  readonly type: number;
  readonly address: string;
  count: number;
}

export class Memberships {
  private readonly all: Membership[] = [];

  /** Adds or removes the membership of a struct packet_mreq: 0 or -errno. */
  change(net: NetNamespace, value: OptionValue, isAdded: boolean): number {
    if (value.length < P.PacketMreq.size) return -EINVAL;
    const { at } = P.PacketMreq, { dv, u8 } = value, length = dv.getUint16(at.alen, true);
    if (length > 8) return -EINVAL;
    const link = net.links.byIndex(dv.getInt32(at.ifindex, true));
    const type = dv.getUint16(at.type, true);
    const address = bytesToString(u8, at.address, at.address + length);
    const known = this.all.find((one) =>
      one.link === link && one.type === type && one.address === address
    );
    if (!isAdded) {
      if (known !== undefined && --known.count === 0) this.drop(known);
      return 0;
    }
    if (link === null) return -ENODEV;
    if (length > P.ETH_ALEN) return -EINVAL;
    if (known !== undefined) known.count++;
    else if (this.all.length >= MEMBERSHIPS_MAX) return -ENOBUFS;
    else {
      this.all.push({ link, type, address, count: 1 });
      promote(link, type, 1);
    }
    return 0;
  }

  private drop(one: Membership): void {
    this.all.splice(this.all.indexOf(one), 1);
    promote(one.link, one.type, -1);
  }

  release(): void {
    for (const one of [...this.all]) this.drop(one);
  }
}

function promote(link: Link, type: number, by: number): void {
  if (type === P.PACKET_MR_PROMISC) link.promiscuity += by;
  else if (type === P.PACKET_MR_ALLMULTI) link.allMulticast += by;
}
