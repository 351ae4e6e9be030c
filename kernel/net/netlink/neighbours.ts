/**
 * RTM_GETNEIGH, RTM_NEWNEIGH and RTM_DELNEIGH of rtnetlink(7), as `ip neigh` uses them. Stations
 * are found without ARP (link/reach.ts); entries are kept and shown. DIFFERS: entries do not age,
 * and bridges have no table of addresses.
 */

import { EEXIST, EINVAL, ENODEV, ENOENT, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { ETH_ALEN } from "../../../ffi/abi/packet.ts";
import * as N from "../../../ffi/abi/netlink.ts";
import { AF_INET, AF_INET6 } from "../../../ffi/abi/socket.ts";
import { isV4 } from "../inet/address.ts";
import type { Link, Neighbour } from "../link/link.ts";
import { fromRaw, rawAddress } from "./addresses.ts";
import { type Attributes, readAttributes } from "./attributes.ts";
import { familiesOf, LinkDump } from "./dump.ts";
import type { RouteRequest } from "./request.ts";
import type { NetlinkRequest, NetlinkWriter } from "./writer.ts";

const { at } = N.Ndmsg;

/** RTM_GETNEIGH: 0 or -errno. */
export function getNeighbours(r: RouteRequest, out: NetlinkWriter): number {
  const isFull = r.body.byteLength >= N.Ndmsg.size;
  if (!r.isDump) {
    const wanted = read(r);
    if (typeof wanted === "number") return wanted;
    const { link, address } = wanted, found = link.neighbours.get(address);
    if (found === undefined) return -ENOENT;
    put(r.request, out, link, address, found, 0);
    return 0;
  }
  const index = isFull && r.isStrict ? r.body.getInt32(at.ifindex, true) : 0;
  return r.answerBy(new NeighbourDump(r.request, r.net.links, familiesOf(r), index));
}

type Entry = readonly [address: string, neighbour: Neighbour];
const NONE: readonly Entry[] = [];

export class NeighbourDump extends LinkDump<Entry> {
  protected override itemsOf(link: Link): readonly Entry[] {
    return link.neighbours.size > 0 ? [...link.neighbours] : NONE;
  }
  protected override put(
    out: NetlinkWriter,
    link: Link,
    [address, neighbour]: Entry,
    family: number,
  ): boolean {
    if (isV4(address) !== (family === AF_INET)) return false;
    put(this.request, out, link, address, neighbour, N.NLM_F_MULTI);
    return true;
  }
}

function put(
  request: NetlinkRequest,
  out: NetlinkWriter,
  link: Link,
  address: string,
  { mac, state, flags }: Neighbour,
  messageFlags: number,
): void {
  const body = out.begin(request, N.RTM_NEWNEIGH, messageFlags, N.Ndmsg.size);
  out.u8[body + at.family] = isV4(address) ? AF_INET : AF_INET6;
  out.dv.setInt32(body + at.ifindex, link.index, true);
  out.dv.setUint16(body + at.state, state, true);
  out.u8[body + at.flags] = flags;
  out.u8[body + at.type] = N.RTN_UNICAST;
  out.bytes(N.NDA_DST, rawAddress(address));
  if (mac !== "") out.bytes(N.NDA_LLADDR, mac);
  out.u32(N.NDA_PROBES, 0);
  // struct nda_cacheinfo: all times are now.
  out.attribute(N.NDA_CACHEINFO, 16);
  out.end();
}

interface Wanted {
  readonly link: Link;
  readonly address: string;
  readonly attributes: Attributes;
}

/** Parses a request: what it wants, or -errno. */
function read(r: RouteRequest): Wanted | number {
  const { body, family, net } = r;
  if (body.byteLength < N.Ndmsg.size) return -EINVAL;
  if (family !== AF_INET && family !== AF_INET6) return -EOPNOTSUPP;
  const attributes = readAttributes(body, N.Ndmsg.size), raw = attributes.get(N.NDA_DST);
  if (raw === undefined) return r.refuse(-EINVAL, "Network address not specified");
  const index = body.getInt32(at.ifindex, true), link = net.links.byIndex(index);
  if (index !== 0 && link === null) return -ENODEV;
  const address = fromRaw(raw, family);
  if (address === undefined) return r.refuse(-EINVAL, "Invalid network address");
  return link === null ? -EINVAL : { link, address, attributes };
}

/** RTM_NEWNEIGH: 0 or -errno. */
export function addNeighbour(r: RouteRequest): number {
  const wanted = read(r);
  if (typeof wanted === "number") return wanted;
  const { link, address, attributes } = wanted, { flags } = r.request;
  const old = link.neighbours.get(address), mac = attributes.get(N.NDA_LLADDR) ?? old?.mac ?? "";
  if (mac !== "" && mac.length < ETH_ALEN) return r.refuse(-EINVAL, "Invalid link address");
  if (old === undefined && (flags & N.NLM_F_CREATE) === 0) return -ENOENT;
  if (old !== undefined && (flags & N.NLM_F_EXCL) !== 0) return -EEXIST;
  return link.table.setNeighbour(link, address, {
    mac: mac.substring(0, ETH_ALEN),
    state: r.body.getUint16(at.state, true),
    flags: r.body.getUint8(at.flags),
  });
}

/** RTM_DELNEIGH: 0 or -errno. */
export function deleteNeighbour(r: RouteRequest): number {
  const wanted = read(r);
  if (typeof wanted === "number") return wanted;
  return wanted.link.table.dropNeighbour(wanted.link, wanted.address) ? 0 : -ENOENT;
}
