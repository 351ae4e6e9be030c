/**
 * Chooses the platform of a host: the default, or kvm where a call with its share of faults and
 * forks costs less.
 *
 * systrap is best where entering and leaving a virtual machine is slow. On processors that run
 * machines in hardware, kvm can be better. Neighbours: `trial.ts` measures, `host_offer.ts`
 * reports.
 */

import { dup } from "../../ffi/sys/files.ts";
import { DEFAULT_PLATFORMS, type PlatformName } from "./candidates.ts";
import { measurePlatform, type Prepare } from "./registry.ts";
import type { PlatformCosts } from "./trial.ts";

/** Faults and forks for each call of a shell script that compiles. */
const FAULTS_A_CALL = 0.1, FORKS_A_CALL = 0.002;
/** The default may cost this much more than kvm, since measurements vary. */
const TOLERANCE = 1.2;

/** Cost in ns of a call and its share of faults and forks. */
export function meanCallNs(costs: PlatformCosts): number {
  return costs.callNs + FAULTS_A_CALL * costs.faultNs + FORKS_A_CALL * costs.forkNs;
}

/** kvm if it is clearly better, else the first default that works; null if none works. */
export function bestOf(
  costs: ReadonlyMap<PlatformName, PlatformCosts | null>,
): PlatformName | null {
  const usual = DEFAULT_PLATFORMS.find((name) => (costs.get(name) ?? null) !== null) ?? null;
  const kvm = costs.get("kvm") ?? null;
  if (kvm === null || usual === null) return kvm === null ? usual : "kvm";
  return meanCallNs(kvm) * TOLERANCE < meanCallNs(costs.get(usual)!) ? "kvm" : usual;
}

/**
 * Measures the candidates, which takes less than 100 ms on an idle host. kvm has to win twice,
 * since other programs may have disturbed one measurement.
 *
 * @param device /dev/kvm, which the caller keeps
 * @returns null if none works, or if the two measurements differ
 */
export function findBest(device: number, prepare: Prepare): PlatformName | null {
  const found = measureAll(device, prepare);
  return found !== "kvm" || measureAll(device, prepare) === "kvm" ? found : null;
}

function measureAll(device: number, prepare: Prepare): PlatformName | null {
  const costs = new Map<PlatformName, PlatformCosts | null>();
  for (const name of DEFAULT_PLATFORMS) {
    costs.set(name, measured(name, device, prepare));
    if (costs.get(name) !== null) break; // the remaining defaults do not matter
  }
  costs.set("kvm", measured("kvm", device, prepare));
  return bestOf(costs);
}

/** Null if the platform does not work. */
function measured(name: PlatformName, device: number, prepare: Prepare): PlatformCosts | null {
  const copy = name === "kvm" ? dup(device) : -1;
  if (name === "kvm" && copy < 0) return null;
  try {
    return measurePlatform(name, copy, prepare);
  } catch {
    return null;
  }
}
