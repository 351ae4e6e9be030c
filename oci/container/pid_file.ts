/** The last steps of a process that is made for a client: its pid is told, and it is let off the leash (launch/proxy.ts). */

import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { close, write } from "../../ffi/sys/files.ts";
import { UserError } from "../user_error.ts";

/** Appears with its whole content. @throws UserError */
export function writePidFile(path: string, pid: number): void {
  const temporary = `${path}.${Deno.pid}`;
  try {
    Deno.writeTextFileSync(temporary, String(pid), { mode: 0o644 });
    Deno.renameSync(temporary, path);
  } catch (error) {
    throw new UserError(`--pid-file: ${path} cannot be written`, undefined, error);
  }
}

/** From now on a proxy lives without this process. */
export function letGo(leash: number): void {
  const byte = allocBuffer(1);
  write(leash, addressOf(byte), 1);
  close(leash);
}
