/**
 * Time namespaces (time_namespaces(7)): CLOCK_MONOTONIC and CLOCK_BOOTTIME count from elsewhere. Offsets can be set as
 * long as nobody has been born into it.
 */

import { Namespace } from "../cred/namespace.ts";

export class TimeNamespace extends Namespace {
  override readonly kind = "time";
  /** What is added to the clocks of the first namespace, ns. */
  monotonicNs: number = 0;
  boottimeNs: number = 0;
  /** Somebody is in it: the offsets stay. */
  isFrozen: boolean = false;
}
