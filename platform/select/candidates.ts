/**
 * The platforms that can be chosen: their names, those that are tried without a choice, and whether
 * kvm is compared with them.
 *
 * It imports no platform, so the launcher loads this file and not `registry.ts`.
 */

/** The values of `--platform` besides `auto`. */
export const PLATFORM_NAMES = ["systrap", "ptrace", "kvm"] as const;

export type PlatformName = (typeof PLATFORM_NAMES)[number];

/** The values of `--platform`: a platform, or `auto` for the best one. */
export const PLATFORM_CHOICES = [...PLATFORM_NAMES, "auto"] as const;

/** The platforms that `auto` tries, best first: the first that works is the default. */
export const DEFAULT_PLATFORMS: readonly PlatformName[] = ["systrap", "ptrace"];

/** The platform that `choice` names; null for `auto`. */
export function platformOf(choice: (typeof PLATFORM_CHOICES)[number]): PlatformName | null {
  return choice === "auto" ? null : choice;
}

/** Whether the text is the name of a platform. */
export function isPlatformName(name: string): name is PlatformName {
  return PLATFORM_NAMES.some((known) => known === name);
}

/** Why kvm is not compared, as the beginning of a sentence; null if it is. */
export function objectionToKvm(): string | null {
  if (hasVmx(readCpuInfo())) {
    return "kvm was never run on a processor with VMX and has to be asked for";
  }
  // On a busy host a measurement says little.
  const isBusy = Deno.loadavg()[0]! >= navigator.hardwareConcurrency;
  return isBusy ? "the host is too busy to compare it with kvm" : null;
}

/** @param cpuInfo text of /proc/cpuinfo */
export function hasVmx(cpuInfo: string): boolean {
  return /^flags\s*:.*\bvmx\b/m.test(cpuInfo);
}

function readCpuInfo(): string {
  try {
    return Deno.readTextFileSync("/proc/cpuinfo");
  } catch {
    return "";
  }
}
