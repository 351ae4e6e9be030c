/**
 * Saves snapshots in files. A descriptor of the file goes to the sandbox, which a script cannot
 * send, so `dvisor checkpoint` does it. Neighbours: snapshot.ts, sandbox.ts (`Sandbox.restore`).
 */

import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { SandboxError } from "./errors.ts";
import * as is from "./option_checks.ts";
import { SANDBOX_CHECKS, type SandboxOptions } from "./options.ts";

/** Options of {@linkcode Snapshot.save}. */
export interface SaveOptions {
  /** The level of zstd, 1 (fast) to 19 (small). Default 0: nothing is compressed. */
  readonly compression?: number;
}

/**
 * Options of {@linkcode Sandbox.restore}: those of {@linkcode Sandbox.create}, but the hostname,
 * which is the saved one.
 */
export interface RestoreOptions extends Omit<SandboxOptions, "hostname"> {
  /**
   * What is done about open files of the host that are not as they were: `refuse` (default) fails
   * and names them; with `accept` the programs see what is there now.
   */
  readonly changedFiles?: "refuse" | "accept";
}

export const SAVE_CHECKS: is.Checks = {
  path: is.text,
  compression: is.whole(0, "from 0 to 19", 19),
};
const { hostname: _, ...CREATE_CHECKS } = SANDBOX_CHECKS;
export const RESTORE_CHECKS: is.Checks = {
  ...CREATE_CHECKS,
  path: is.text,
  changedFiles: is.oneOf("refuse", "accept"),
};

/** A snapshot of a sandbox, and the executable that saves it. */
interface SavedSnapshot {
  readonly binary: string;
  /** The id of the sandbox. */
  readonly id: string;
  readonly snapshot: number;
}

/**
 * Writes the file, which has its name when it is whole.
 * @throws SandboxError
 */
export async function saveInFile(
  { binary, id, snapshot }: SavedSnapshot,
  path: string,
  { compression = 0 }: SaveOptions,
): Promise<void> {
  const file = resolve(path), level = compression === 0 ? "none" : String(compression);
  const options = [`--image-file=${file}`, `--snapshot=${snapshot}`, `--compression=${level}`];
  const args = ["checkpoint", ...options, id];
  const failure = await new Promise<string | null>((done) => {
    execFile(binary, args, (error, _, messages) => {
      if (error === null) return done(null);
      const text = messages.trim().replace(/^dvisor: /, "");
      done(text === "" ? error.message : text);
    });
  });
  if (failure === null) return;
  throw new SandboxError("Failed", `cannot save the snapshot in ${file}: ${failure}`, {
    path: file,
  });
}
