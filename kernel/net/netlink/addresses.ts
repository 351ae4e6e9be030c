/** RTM_GETADDR, RTM_NEWADDR and RTM_DELADDR of rtnetlink(7), as `ip addr` uses them. */

import { EINVAL, ENODEV, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { IFNAMSIZ } from "../../../ffi/abi/inet.ts";
import * as N from "../../../ffi/abi/netlink.ts";
import { AF_INET, AF_INET6 } from "../../../ffi/abi/socket.ts";
import { isV4, MAPPED } from "../inet/address.ts";
import type { Link, LinkAddress } from "../link/link.ts";
import { bitsOf } from "../link/prefix.ts";
import { readAttributes, textOf } from "./attributes.ts";
import { familiesOf, LinkDump } from "./dump.ts";
import type { RouteRequest } from "./request.ts";
import type { NetlinkRequest, NetlinkWriter } from "./writer.ts";

const { at } = N.Ifaddrmsg;
const FOR_EVER = 0xffffffff;

/** The address as in a message: four bytes for IPv4. */
export function rawAddress(address: string): string {
  return isV4(address) ? address.substring(12) : address;
}

/** The address of a message; undefined: wrong length. */
export function fromRaw(bytes: string | undefined, family: number): string | undefined {
  if (bytes === undefined) return undefined;
  if (family === AF_INET) return bytes.length === 4 ? MAPPED + bytes : undefined;
  return bytes.length === 16 ? bytes : undefined;
}

/** Dumps one family after the other, the order in which getifaddrs(3) passes them on. */
export function dumpAddresses(r: RouteRequest): number {
  const isFull = r.body.byteLength >= N.Ifaddrmsg.size;
  const index = isFull ? r.body.getUint32(at.index, true) : 0;
  return r.answerBy(new AddressDump(r.request, r.net.links, familiesOf(r), index));
}

export class AddressDump extends LinkDump<LinkAddress> {
  override get version(): number {
    return this.table.linkChanges + this.table.addressChanges;
  }
  protected override itemsOf(link: Link): readonly LinkAddress[] {
    return link.addresses;
  }
  protected override put(
    out: NetlinkWriter,
    link: Link,
    own: LinkAddress,
    family: number,
  ): boolean {
    if (isV4(own.address) !== (family === AF_INET)) return false;
    putAddress(this.request, out, link, own, family);
    return true;
  }
}

function putAddress(
  request: NetlinkRequest,
  out: NetlinkWriter,
  link: Link,
  own: LinkAddress,
  family: number,
): void {
  const body = out.begin(request, N.RTM_NEWADDR, N.NLM_F_MULTI, N.Ifaddrmsg.size);
  out.u8[body + at.family] = family;
  out.u8[body + at.prefixlen] = own.prefix;
  out.u8[body + at.flags] = N.IFA_F_PERMANENT;
  out.u8[body + at.scope] = own.scope;
  out.dv.setUint32(body + at.index, link.index, true);
  out.bytes(N.IFA_ADDRESS, rawAddress(own.peer));
  if (family === AF_INET || own.peer !== own.address) {
    out.bytes(N.IFA_LOCAL, rawAddress(own.address));
  }
  if (family === AF_INET) {
    if (own.broadcast !== null) out.bytes(N.IFA_BROADCAST, rawAddress(own.broadcast));
    out.text(N.IFA_LABEL, own.label);
  }
  if (own.origin !== N.IFAPROT_UNSPEC) out.bytes(N.IFA_PROTO, String.fromCharCode(own.origin));
  out.u32(N.IFA_FLAGS, N.IFA_F_PERMANENT);
  // struct ifa_cacheinfo: preferred and valid for ever.
  const cache = out.attribute(N.IFA_CACHEINFO, 16);
  out.dv.setUint32(cache, FOR_EVER, true);
  out.dv.setUint32(cache + 4, FOR_EVER, true);
  out.end();
}

interface Wanted {
  readonly link: Link;
  readonly address: LinkAddress;
}

/** Parses a request: what it wants, or -errno. */
function read(r: RouteRequest): Wanted | number {
  const { body, net } = r;
  if (body.byteLength < N.Ifaddrmsg.size) return -EINVAL;
  const { family } = r;
  if (family !== AF_INET && family !== AF_INET6) return -EOPNOTSUPP;
  const link = net.links.byIndex(body.getUint32(at.index, true));
  if (link === null) return -ENODEV;
  const attributes = readAttributes(body, N.Ifaddrmsg.size), prefix = body.getUint8(at.prefixlen);
  const peer = fromRaw(attributes.get(N.IFA_ADDRESS), family);
  const address = fromRaw(attributes.get(N.IFA_LOCAL), family) ?? peer;
  if (address === undefined || prefix > bitsOf(address)) return -EINVAL;
  const broadcast = fromRaw(attributes.get(N.IFA_BROADCAST), family) ?? null;
  const label = textOf(attributes.get(N.IFA_LABEL)) || link.name;
  if (label.length >= IFNAMSIZ) return -EINVAL;
  const scope = body.getUint8(at.scope);
  const origin = attributes.get(N.IFA_PROTO) ?? "\0";
  if (origin === "") return -EINVAL;
  return {
    link,
    address: {
      address,
      prefix,
      scope,
      peer: peer ?? address,
      broadcast,
      label,
      origin: origin.charCodeAt(0),
    },
  };
}

/** RTM_NEWADDR: 0 or -errno. */
export function addAddress(r: RouteRequest): number {
  const wanted = read(r);
  if (typeof wanted === "number") return wanted;
  const { link, address } = wanted, { links } = r.net, { flags } = r.request;
  const isReplaced = (flags & N.NLM_F_REPLACE) !== 0 && (flags & N.NLM_F_EXCL) === 0;
  if (isReplaced) links.removeAddress(link, address.address, address.prefix);
  return links.addAddress(link, address);
}

/** RTM_DELADDR: 0 or -errno. */
export function deleteAddress(r: RouteRequest): number {
  const wanted = read(r);
  if (typeof wanted === "number") return wanted;
  return r.net.links.removeAddress(wanted.link, wanted.address.address, wanted.address.prefix);
}
