/** A route of a network namespace, and the errors of routes without a link (ip-route(8)). */

import { EACCES, EHOSTUNREACH, EINVAL, ENETUNREACH } from "../../../ffi/abi/errno.ts";
import {
  RTN_BLACKHOLE,
  RTN_PROHIBIT,
  RTN_THROW,
  RTN_UNREACHABLE,
} from "../../../ffi/abi/netlink.ts";
import type { Link, LinkAddress } from "./link.ts";

/** A route of table main. */
export interface Route {
  /** RTN_UNICAST, or a type with an error (refusalOf), whose link is `lo`. */
  readonly type: number;
  /** The network, with bits behind the prefix 0; 0 bits: all addresses. */
  readonly network: string;
  readonly bits: number;
  /** The gateway; null: the destination is on the link. */
  readonly via: string | null;
  readonly link: Link;
  readonly metric: number;
  readonly source: string | null;
  readonly scope: number;
  /** RTPROT_*. */
  readonly protocol: number;
  /** The address whose network it is; null: the route was added. */
  readonly connected: LinkAddress | null;
}

const REFUSALS: ReadonlyMap<number, number> = new Map([
  [RTN_BLACKHOLE, -EINVAL],
  [RTN_UNREACHABLE, -EHOSTUNREACH],
  [RTN_PROHIBIT, -EACCES],
  // RTN_THROW goes on with the next table, and there is none.
  [RTN_THROW, -ENETUNREACH],
]);

/** The error that a sender gets for a type of route; 0: none. */
export function refusalOf(type: number): number {
  return REFUSALS.get(type) ?? 0;
}
