/** Id mappings of a container with a user namespace of its own: user_namespaces(7). */

import { CAP_SETGID } from "../../ffi/abi/capability.ts";
import { hasCapability } from "../host/privileges.ts";
import type { IdMapping } from "../spec/id_mappings.ts";
import type { LinuxConfig } from "../spec/linux_section.ts";
import { EXIT_USAGE, UserError } from "../user_error.ts";

/**
 * Checks the mappings before any process is started.
 * @throws UserError naming the place in config.json
 */
export function checkIdMaps({ namespaces, uidMappings, gidMappings }: LinuxConfig): void {
  const own = namespaces.find(({ type }) => type === "user");
  const isNew = own !== undefined && own.path === null;
  for (
    const [name, maps] of [["uidMappings", uidMappings], ["gidMappings", gidMappings]] as const
  ) {
    if (isNew && maps.length === 0) {
      throw new UserError(
        `config.json: linux.${name} is empty, expected the ids of the new user namespace`,
        EXIT_USAGE,
      );
    }
    if (own === undefined && maps.length > 0) {
      throw new UserError(
        `config.json: linux.${name} is there, but linux.namespaces has no "user"`,
        EXIT_USAGE,
      );
    }
  }
}

/**
 * Writes the id mappings of a process in a new user namespace.
 * @throws UserError
 */
export function writeIdMaps(pid: number, linux: LinuxConfig): void {
  // A caller that may not set groups must not let the container set them.
  if (!hasCapability(CAP_SETGID)) write(pid, "setgroups", "deny");
  write(pid, "uid_map", textOf(linux.uidMappings));
  write(pid, "gid_map", textOf(linux.gidMappings));
}

function textOf(maps: readonly IdMapping[]): string {
  return maps.map((map) => `${map.containerId} ${map.hostId} ${map.size}\n`).join("");
}

function write(pid: number, file: string, text: string): void {
  try {
    Deno.writeTextFileSync(`/proc/${pid}/${file}`, text);
  } catch (error) {
    throw new UserError(`cannot write the ${file} of the container`, undefined, error);
  }
}
