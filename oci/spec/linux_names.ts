/** Names that config.json has for numbers of Linux: capabilities and resource limits. */

import * as capability from "../../ffi/abi/capability.ts";
import * as resource from "../../ffi/abi/resource.ts";

/** CAP_* by name. */
export const CAPABILITIES: ReadonlyMap<string, number> = numbersOf(
  capability,
  "CAP_",
  (name, n) => name !== "CAP_LAST_CAP" && n <= capability.CAP_LAST_CAP,
);

/** RLIMIT_* by name. */
export const RLIMITS: ReadonlyMap<string, number> = numbersOf(resource, "RLIMIT_", () => true);

/** The constants of a module whose names begin with the prefix. */
function numbersOf(
  constants: object,
  prefix: string,
  isWanted: (name: string, n: number) => boolean,
): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [name, value] of Object.entries(constants)) {
    if (!name.startsWith(prefix) || typeof value !== "number") continue;
    if (isWanted(name, value)) found.set(name, value);
  }
  return found;
}
