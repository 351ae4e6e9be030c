/** The platforms' names, apart from the platforms: for whoever only passes a name on. */

/** What `--platform` takes. */
export const PLATFORM_NAMES = ["systrap", "ptrace", "kvm"] as const;

export type PlatformName = (typeof PLATFORM_NAMES)[number];

/** Those that are tried if none is asked for, best first: the first that works is the default. */
export const DEFAULT_PLATFORMS: readonly PlatformName[] = ["systrap", "ptrace"];

export function isPlatformName(name: string): name is PlatformName {
  return PLATFORM_NAMES.some((known) => known === name);
}
