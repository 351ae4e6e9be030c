/** Routes that lead nowhere (ip-route(8): blackhole, unreachable, prohibit, throw): their types, and what a sender is told. */

import { EACCES, EHOSTUNREACH, EINVAL, ENETUNREACH } from "../../../ffi/abi/errno.ts";
import {
  RTN_BLACKHOLE,
  RTN_PROHIBIT,
  RTN_THROW,
  RTN_UNREACHABLE,
} from "../../../ffi/abi/netlink.ts";

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
