/** The file config.json of a bundle. */

import { join } from "@std/path";
import { JsonNode } from "../json_node.ts";
import { EXIT_USAGE, UserError } from "../user_error.ts";

export const CONFIG = "config.json";

/** @throws UserError if it is not there, or no JSON */
export function readConfigFile(bundle: string): JsonNode {
  const path = join(bundle, CONFIG);
  try {
    return JsonNode.parse(CONFIG, Deno.readTextFileSync(path), path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (error instanceof Deno.errors.NotFound) {
      throw new UserError(`there is no ${path}; dvisor spec writes one`, EXIT_USAGE);
    }
    throw new UserError(`cannot read ${path}`, undefined, error);
  }
}
