/** Routes of a network namespace, and what a sender gets for those that lead nowhere (ip-route(8)). */

import { EACCES, EHOSTUNREACH, EINVAL, ENETUNREACH } from "../../../ffi/abi/errno.ts";
import {
  RTN_BLACKHOLE,
  RTN_PROHIBIT,
  RTN_THROW,
  RTN_UNREACHABLE,
} from "../../../ffi/abi/netlink.ts";
import type { Link } from "./link.ts";

export interface Route {
  /** RTN_UNICAST, or one that leads nowhere (refusalOf): its link is `lo` then. */
  readonly type: number;
  /** Its network; all addresses with 0 bits. */
  readonly network: string;
  readonly bits: number;
  /** The next station, or null: the destination is on the link. */
  readonly via: string | null;
  readonly link: Link;
  readonly metric: number;
  readonly source: string | null;
  readonly scope: number;
  /** RTPROT_*. */
  readonly protocol: number;
}

const REFUSALS: ReadonlyMap<number, number> = new Map([
  [RTN_BLACKHOLE, -EINVAL],
  [RTN_UNREACHABLE, -EHOSTUNREACH],
  [RTN_PROHIBIT, -EACCES],
  // The next table would be looked at: there is one.
  [RTN_THROW, -ENETUNREACH],
]);

/** -errno of a type of routes; 0: it leads somewhere. */
export function refusalOf(type: number): number {
  return REFUSALS.get(type) ?? 0;
}
