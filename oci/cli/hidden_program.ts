/**
 * A program that the caller's shell would find, and the sandbox does not: it is in a home that
 * seems empty there. Without this check the error would be a plain "not found".
 */

import {
  hidingOf,
  HOST_FILES,
  type HostFiles,
  type HostView,
  isBelow,
} from "../launch/host_view.ts";
import { EXIT_NOT_FOUND, UserError } from "../user_error.ts";

interface ProgramSearch {
  readonly program: string;
  /** The value of PATH in the sandbox. */
  readonly path: string;
  readonly cwd: string;
  readonly view: HostView;
  /** Directories of the sandbox that are not the host's. */
  readonly mounts: readonly string[];
}

/** @throws UserError naming the program's file and what hides it */
export function requireShownProgram(search: ProgramSearch, files: HostFiles = HOST_FILES): void {
  const { program, path, cwd, view, mounts } = search;
  const folders = program.includes("/") ? [""] : path.split(":");
  let error: UserError | null = null;
  for (const folder of folders) {
    const name = folder === "" ? program : `${folder}/${program}`;
    const full = name.startsWith("/") ? name : `${cwd}/${name}`;
    // Only the sandbox knows what is mounted there.
    if (mounts.some((mount) => isBelow(full, mount))) return;
    const real = files.realPath(full);
    if (real === null) continue;
    const hiding = hidingOf(view, real);
    if (hiding === null) return;
    error ??= new UserError(
      `exec: "${program}": ${real} is not in the sandbox, where ${hiding.path} ` +
        `(${hiding.reason}) seems empty; --show ${parentOf(real)} shows it`,
      EXIT_NOT_FOUND,
    );
  }
  if (error !== null) throw error;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
