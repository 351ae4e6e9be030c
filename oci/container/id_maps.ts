/** Id mappings of a container with a user namespace of its own: user_namespaces(7). */

import { CAP_SETGID, CAP_SETUID } from "../../ffi/abi/capability.ts";
import { SYS_getegid, SYS_geteuid, SYS_wait4 } from "../../ffi/abi/syscall_numbers.ts";
import { __WALL } from "../../ffi/abi/wait.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { close } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { spawn, SpawnScript } from "../../ffi/sys/spawn.ts";
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
 * Writes the id mappings of a process in a new user namespace. An ordinary user may map its own id
 * alone; newuidmap(1) and newgidmap(1) map those that /etc/subuid and /etc/subgid give to the user.
 *
 * @throws UserError
 */
export function writeIdMaps(pid: number, { uidMappings, gidMappings }: LinuxConfig): void {
  if (hasCapability(CAP_SETUID) || mapsOnly(uidMappings, syscall(SYS_geteuid))) {
    write(pid, "uid_map", textOf(uidMappings));
  } else mapWith("newuidmap", pid, uidMappings);
  if (hasCapability(CAP_SETGID)) write(pid, "gid_map", textOf(gidMappings));
  else if (mapsOnly(gidMappings, syscall(SYS_getegid))) {
    // A caller that may not set groups must not let the container set them.
    write(pid, "setgroups", "deny");
    write(pid, "gid_map", textOf(gidMappings));
  } else mapWith("newgidmap", pid, gidMappings);
}

function mapsOnly([first, ...others]: readonly IdMapping[], id: number): boolean {
  return others.length === 0 && first?.size === 1 && first.hostId === id;
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

/** The helper prints what it refuses. */
function mapWith(helper: string, pid: number, maps: readonly IdMapping[]): void {
  const path = (Deno.env.get("PATH") ?? "").split(":").map((dir) => `${dir}/${helper}`).find(
    isFile,
  );
  if (path === undefined) {
    throw new UserError(`the container's ids need ${helper}, which is not installed`);
  }
  const numbers = maps.flatMap((map) => [map.containerId, map.hostId, map.size]);
  const child = spawn(new SpawnScript().exec(path, [helper, ...[pid, ...numbers].map(String)], []));
  syscall(SYS_wait4, child.pid, scratch.area(0), __WALL, 0);
  close(child.pidfd);
  if (scratch.dv.getInt32(scratch.areaOffset(0), true) === 0) return;
  throw new UserError(`${helper} does not map the container's ids`);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
