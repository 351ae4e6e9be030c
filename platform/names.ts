/** The platforms' names, apart from the platforms: for whoever only passes a name on. */

/** What `--platform` takes, best first: the first that works is the default. */
export const PLATFORM_NAMES = ["systrap", "ptrace"] as const;

export type PlatformName = (typeof PLATFORM_NAMES)[number];

export function isPlatformName(name: string): name is PlatformName {
  return PLATFORM_NAMES.some((known) => known === name);
}
