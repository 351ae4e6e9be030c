/**
 * The process of config.json with the members of other sections about it: the parts of the file
 * that `exec` needs. Neighbours: process_section.ts; config.ts reads the whole.
 */

import type { JsonNode } from "../json_node.ts";
import type { HasModule } from "./labels.ts";
import { type ProcessConfig, readProcess } from "./process_section.ts";

const PERSONALITIES = { LINUX: 0, LINUX32: 8 } as const;

export type FirstProcess = ProcessConfig & {
  readonly personality: number;
};

/** @param config the whole file @throws UserError */
export function readFirstProcess(
  config: JsonNode,
  warn: (line: string) => void,
  has: HasModule,
): FirstProcess {
  return {
    ...readProcess(config.member("process"), warn, has),
    // Only for processes that exec starts later.
    affinity: null,
    personality: readPersonality(config.member("linux").member("personality")),
  };
}

function readPersonality(node: JsonNode): number {
  if (node.isAbsent) return 0;
  node.member("flags").refuse();
  return PERSONALITIES[node.member("domain").oneOf(["LINUX", "LINUX32"])];
}
