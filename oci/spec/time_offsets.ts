/**
 * `linux.timeOffsets` of config.json: the offsets of a new time namespace's clocks from the host's.
 */

import type { TimeOffsets } from "../../kernel/cred/time_namespace.ts";
import type { JsonNode } from "../json_node.ts";

export type { TimeOffsets };

/** By their names there and in /proc/PID/timens_offsets. */
export const CLOCKS: ReadonlyMap<string, keyof TimeOffsets> = new Map([
  ["monotonic", "monotonicNs"],
  ["boottime", "boottimeNs"],
]);

const SECONDS_MAX = 2 ** 33;

/** null: there are none. */
export function readTimeOffsets(node: JsonNode): TimeOffsets | null {
  const offsets = { monotonicNs: 0, boottimeNs: 0 }, clocks = node.members();
  for (const clock of clocks) {
    const member = CLOCKS.get(clock.name);
    if (member === undefined) {
      return clock.fail(`is no clock; there are ${[...CLOCKS.keys()].join(", ")}`);
    }
    clock.object();
    const whole = (name: string, min: number, max: number) =>
      clock.member(name).optional(0, (n) => n.integer(min, max));
    const seconds = whole("secs", -SECONDS_MAX, SECONDS_MAX);
    offsets[member] = seconds * 1e9 + whole("nanosecs", 0, 999_999_999);
  }
  return clocks.length === 0 ? null : offsets;
}
