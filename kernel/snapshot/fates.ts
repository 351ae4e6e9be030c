/**
 * What a snapshot does with an object, by the name of its class. A class without a fate is reported
 * by the walks of tests/sim/state_graph_test.ts: decide, then name it in a list of `rules/`.
 */

import { DERIVED_CLASSES, FETCHED_CLASSES } from "./rules/derived.ts";
import { BOOT_CLASSES, HOST_CLASSES } from "./rules/host.ts";
import { STATE_CLASSES } from "./rules/state.ts";

/**
 * - state: saved, all fields
 * - derived: left out, and made again (copies of page tables, scratch)
 * - fetched: left out; what the Gofer and the host's network have answered, and answer again
 * - host: left out; what the kernel runs on, which a restored kernel is given anew
 */
export type Fate = "state" | "derived" | "fetched" | "host";

function rows(fate: Fate, names: readonly string[]): [string, Fate][] {
  return names.map((name) => [name, fate]);
}

export const FATES: ReadonlyMap<string, Fate> = new Map([
  ...rows("state", STATE_CLASSES),
  ...rows("derived", DERIVED_CLASSES),
  ...rows("fetched", FETCHED_CLASSES),
  ...rows("host", HOST_CLASSES),
  ...rows("host", BOOT_CLASSES),
]);
