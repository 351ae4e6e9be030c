/** The platforms' names, apart from the platforms: for whoever only passes a name on. */

/** What `--platform` takes besides `auto`. */
export const PLATFORM_NAMES = ["systrap", "ptrace", "kvm"] as const;

export type PlatformName = (typeof PLATFORM_NAMES)[number];

/** What people can ask for: one of them, or whatever is best. */
export const PLATFORM_CHOICES = [...PLATFORM_NAMES, "auto"] as const;

/** Those that are tried if none is asked for, best first: the first that works is the default. */
export const DEFAULT_PLATFORMS: readonly PlatformName[] = ["systrap", "ptrace"];

/** Null: nobody says which. */
export function platformOf(choice: (typeof PLATFORM_CHOICES)[number]): PlatformName | null {
  return choice === "auto" ? null : choice;
}

export function isPlatformName(name: string): name is PlatformName {
  return PLATFORM_NAMES.some((known) => known === name);
}
