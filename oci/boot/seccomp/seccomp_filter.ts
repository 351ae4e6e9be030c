/**
 * The seccomp filter of the boot process: built from seccomp_rules.ts and installed on all threads
 * at once. See seccomp(2).
 */

import { assembleCallFilter } from "../../../ffi/asm/call_filter.ts";
import { installCallFilter } from "../../../ffi/sys/seccomp.ts";
import type { PlatformName } from "../../../platform/select/candidates.ts";
import { NETWORK_RULES } from "./network_rules.ts";
import { SECCOMP_RULES, type SeccompRule } from "./seccomp_rules.ts";

/** The program for a platform. */
export function assembleFilter(
  rules: readonly SeccompRule[],
  platform: PlatformName,
): Uint8Array<ArrayBuffer> {
  const isMeant = (r: SeccompRule) => r.platform === undefined || r.platform === platform;
  return assembleCallFilter(rules.filter(isMeant));
}

/** The rules of a sandbox with or without host networking. */
export function rulesFor(network: boolean): readonly SeccompRule[] {
  return network ? [...SECCOMP_RULES, ...NETWORK_RULES] : SECCOMP_RULES;
}

/**
 * Installs the filter on all threads of this process, for good.
 * @returns null, or why the host refused
 */
export function installFilter(platform: PlatformName, network: boolean): string | null {
  return installCallFilter(assembleFilter(rulesFor(network), platform));
}
