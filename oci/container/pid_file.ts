/**
 * The last steps of a process that is made for a client: its pid is reported, and it is let off the
 * leash (launch/proxy_process.ts).
 */

import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { close, write } from "../../ffi/sys/files.ts";
import type { Spawned } from "../../ffi/sys/spawn.ts";
import type { Flags } from "../options/flags.ts";
import type { Options } from "../options/option.ts";
import { giveFd } from "../launch/give_fd.ts";
import { UserError } from "../user_error.ts";

/** How a client learns the pid of the process. */
export interface PidChoice {
  /** The file for its pid, or null. */
  readonly pidFile: string | null;
  /** UNIX socket that gets a pidfd of it, or null. */
  readonly pidfdSocket: string | null;
}

export const PID_OPTIONS = {
  "pid-file": { value: "FILE", help: "write the pid of its host process to FILE" },
  "pidfd-socket": { value: "PATH", help: "UNIX socket that gets a pidfd of that host process" },
} as const satisfies Options;

export function pidChoice(flags: Flags<typeof PID_OPTIONS>): PidChoice {
  return {
    pidFile: flags.options["pid-file"] || null,
    pidfdSocket: flags.options["pidfd-socket"] || null,
  };
}

/** Whether the client wants to know it. */
export function isChosen({ pidFile, pidfdSocket }: PidChoice): boolean {
  return pidFile !== null || pidfdSocket !== null;
}

/** @throws UserError */
export function reportPid({ pidFile, pidfdSocket }: PidChoice, { pid, pidfd }: Spawned): void {
  if (pidfdSocket !== null) {
    try {
      giveFd(pidfdSocket, pidfdSocket, pidfd);
    } catch (error) {
      throw new UserError(`--pidfd-socket: ${pidfdSocket} cannot be used`, undefined, error);
    }
  }
  if (pidFile !== null) writePidFile(pidFile, pid);
}

/**
 * Writes a new file and renames it, so that it appears as a whole: other users may write in that
 * directory.
 * @throws UserError
 */
function writePidFile(path: string, pid: number): void {
  const temporary = `${path}.${crypto.randomUUID()}`;
  try {
    Deno.writeTextFileSync(temporary, String(pid), { createNew: true, mode: 0o644 });
    Deno.renameSync(temporary, path);
  } catch (error) {
    removeIfThere(temporary);
    throw new UserError(`--pid-file: ${path} cannot be written`, undefined, error);
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // The write that failed has reported the error.
  }
}

/** Takes a proxy off the leash: it lives without this process from now on. */
export function releaseProxy(leash: number): void {
  const byte = allocBuffer(1);
  write(leash, addressOf(byte), 1);
  close(leash);
}
