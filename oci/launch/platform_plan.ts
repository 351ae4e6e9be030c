/**
 * Which platform `do` takes when no option names one. `doctor` reports by the same plan, so it
 * names what `do` takes.
 */

import { objectionToKvm } from "../../platform/select/candidates.ts";
import { PlatformMemory } from "./remembered_platform.ts";

type PlatformPlan =
  /** The first default platform that works, without a look at kvm. */
  | { readonly kind: "default"; readonly why: string }
  /** kvm, or else a default platform if it does not work any more. */
  | { readonly kind: "kvm"; readonly why: string }
  /** The platforms are measured, and the best one is remembered. */
  | { readonly kind: "measure"; readonly why: string; readonly memory: PlatformMemory };

/**
 * @param hasKvm whether the device could be opened
 * @param memory null: no directory of this user's own
 * @param objection to a comparison with kvm, or null; called when one is due
 */
export function planPlatform(
  hasKvm: boolean,
  memory: PlatformMemory | null = PlatformMemory.open(),
  objection: () => string | null = objectionToKvm,
): PlatformPlan {
  if (!hasKvm) return { kind: "default", why: "kvm cannot be used here" };
  if (memory === null) {
    const why = "there is no directory of this user's to remember a comparison with kvm in";
    return { kind: "default", why };
  }
  const best = memory.recall();
  if (best !== null) {
    const why = `measured before and remembered in ${memory.path} until the next boot`;
    return { kind: best === "kvm" ? "kvm" : "default", why };
  }
  const why = objection();
  return why === null
    ? { kind: "measure", why: "measured now, and remembered", memory }
    : { kind: "default", why };
}
