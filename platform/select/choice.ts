/**
 * Which platform is best on a host: the default, or kvm where a call costs less, with its share of faults and forks.
 *
 * systrap is best where a virtual machine is slow to enter and to leave; on processors that run machines themselves kvm can be.
 * Neighbours: `trial.ts` measures, `host_offer.ts` tells people.
 */

import { dup } from "../../ffi/sys/files.ts";
import { DEFAULT_PLATFORMS, type PlatformName } from "./candidates.ts";
import { measurePlatform, type Prepare } from "./registry.ts";
import type { PlatformCosts } from "./trial.ts";

/** As in a shell script that compiles: of a thousand calls. */
const FAULTS_A_CALL = 0.1, FORKS_A_CALL = 0.002;
/** So much more may the default cost: nothing is measured exactly. */
const TOLERANCE = 1.2;

/** ns of a call and its share of the rest. */
export function meanCallNs(costs: PlatformCosts): number {
  return costs.callNs + FAULTS_A_CALL * costs.faultNs + FORKS_A_CALL * costs.forkNs;
}

/** The first of the defaults that works, if kvm is not better; null if none works. */
export function bestOf(
  costs: ReadonlyMap<PlatformName, PlatformCosts | null>,
): PlatformName | null {
  const usual = DEFAULT_PLATFORMS.find((name) => (costs.get(name) ?? null) !== null) ?? null;
  const kvm = costs.get("kvm") ?? null;
  if (kvm === null || usual === null) return kvm === null ? usual : "kvm";
  return meanCallNs(kvm) * TOLERANCE < meanCallNs(costs.get(usual)!) ? "kvm" : usual;
}

/**
 * Measures what can be chosen, which takes less than 100 ms where there is a processor to do it. kvm has to win twice, since
 * something else could have run meanwhile.
 *
 * @param device /dev/kvm; it stays the caller's
 * @returns null if none works, or nothing is certain
 */
export function findBest(device: number, prepare: Prepare): PlatformName | null {
  const found = measureAll(device, prepare);
  return found !== "kvm" || measureAll(device, prepare) === "kvm" ? found : null;
}

function measureAll(device: number, prepare: Prepare): PlatformName | null {
  const costs = new Map<PlatformName, PlatformCosts | null>();
  for (const name of DEFAULT_PLATFORMS) {
    costs.set(name, measured(name, device, prepare));
    if (costs.get(name) !== null) break; // the others do not matter then
  }
  costs.set("kvm", measured("kvm", device, prepare));
  return bestOf(costs);
}

/** Null if it does not work. */
function measured(name: PlatformName, device: number, prepare: Prepare): PlatformCosts | null {
  const copy = name === "kvm" ? dup(device) : -1;
  if (name === "kvm" && copy < 0) return null;
  try {
    return measurePlatform(name, copy, prepare);
  } catch {
    return null;
  }
}
