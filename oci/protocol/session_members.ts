/** Members of several requests of the session protocol (session/messages.ts), checked. */

import type { JsonNode } from "../json_node.ts";
import { CPUS_MAX, CPUS_MIN } from "./session/limits.ts";
import { bytesOfWire } from "./wire_text.ts";

/** LIMIT: variables of an environment. */
const VARIABLES_MAX = 65536;

/** @throws UserError */
export function readCpus(node: JsonNode): number {
  const { value } = node;
  return typeof value === "number" && value >= CPUS_MIN && value <= CPUS_MAX
    ? value
    : node.expected(`a number from ${CPUS_MIN} to ${CPUS_MAX}`);
}

/** An environment, as entries `NAME=value` that are byte strings. @throws UserError */
export function readVariables(node: JsonNode): string[] {
  const members = node.members();
  if (members.length > VARIABLES_MAX) node.expected(`at most ${VARIABLES_MAX} variables`);
  return members.map((member) => {
    if (member.name === "" || /[=\0]/.test(member.name)) member.fail("is no name of a variable");
    return `${bytesOfWire(member.name)}=${bytesOfWire(member.string())}`;
  });
}
