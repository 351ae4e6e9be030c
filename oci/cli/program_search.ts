/**
 * Looks for the program of `do` among the files that its guest sees. The sandbox looks again by
 * itself: the result is for `--explain`, and for the error when the caller's shell would find a
 * program that is in a home, which seems empty in the sandbox. Without it the error would be a
 * plain "not found".
 */

import {
  hidingOf,
  HOST_FILES,
  type HostView,
  isBelow,
  type SeenPath,
} from "../launch/host_view.ts";
import { EXIT_NOT_FOUND, UserError } from "../user_error.ts";

export interface ProgramSearch {
  readonly program: string;
  /** The value of PATH in the sandbox. */
  readonly path: string;
  readonly cwd: string;
  /** The host's directory that is the root of the sandbox. */
  readonly root: string;
  /** null: all of it is visible. */
  readonly view: HostView | null;
  /** Directories of the sandbox with other files than the root's. */
  readonly mounts: readonly string[];
}

/** A file that the guest does not see, and what hides it. */
interface HiddenProgram {
  readonly file: string;
  readonly hiding: SeenPath;
}

type FoundProgram =
  /** `file` runs, which `name` leads to. */
  | { readonly kind: "file"; readonly name: string; readonly file: string }
  /** Only the sandbox knows what is at `name`. */
  | { readonly kind: "inside"; readonly name: string }
  /** There are files of that name, and none may be executed. */
  | { readonly kind: "denied"; readonly file: string }
  | ({ readonly kind: "hidden" } & HiddenProgram)
  | { readonly kind: "none" };

/** Looks at the host's files. */
export interface ProgramFiles {
  /** Without symbolic links; null: there is none that this process can find. */
  realPath(path: string): string | null;
  /** The mode's permission bits; null: it is no regular file. */
  modeOf(path: string): number | null;
}

const PROGRAM_FILES: ProgramFiles = {
  realPath: HOST_FILES.realPath,
  modeOf(path) {
    try {
      const { isFile, mode } = Deno.statSync(path);
      return isFile ? mode : null;
    } catch {
      return null;
    }
  },
};

const EXECUTE = 0o111;

function findProgram(
  { program, path, cwd, root, view, mounts }: ProgramSearch,
  files: ProgramFiles = PROGRAM_FILES,
): FoundProgram {
  let missed: FoundProgram = { kind: "none" };
  for (const folder of program.includes("/") ? [""] : path.split(":")) {
    const written = folder === "" ? program : `${folder}/${program}`;
    const name = written.startsWith("/") ? written : `${cwd}/${written}`;
    // Links in another root lead elsewhere than on the host.
    if (root !== "/" || mounts.some((mount) => isBelow(name, mount))) {
      return { kind: "inside", name };
    }
    const file = files.realPath(name), mode = file === null ? null : files.modeOf(file);
    if (file === null || mode === null) continue;
    const hiding = view === null ? null : hidingOf(view, file);
    if (hiding !== null) {
      if (missed.kind !== "hidden") missed = { kind: "hidden", file, hiding };
    } else if ((mode & EXECUTE) !== 0) return { kind: "file", name, file };
    else if (missed.kind === "none") missed = { kind: "denied", file };
  }
  return missed;
}

/** @throws UserError naming the program's file and what hides it */
export function requireShownProgram(search: ProgramSearch, files?: ProgramFiles): void {
  const found = findProgram(search, files);
  if (found.kind !== "hidden") return;
  const { file, hiding } = found;
  throw new UserError(
    `exec: "${search.program}": ${file} is not in the sandbox, where ${hiding.path} ` +
      `(${hiding.reason}) seems empty; --show ${parentOf(file)} shows it`,
    EXIT_NOT_FOUND,
  );
}

/** What runs, or why nothing does: a line of `--explain`. */
export function explainProgram(search: ProgramSearch, files?: ProgramFiles): string {
  const found = findProgram(search, files), { program } = search;
  switch (found.kind) {
    case "file": {
      const name = found.name.replaceAll("/./", "/");
      return name === found.file ? name : `${name}, a link to ${found.file}`;
    }
    case "inside":
      return `looked up at the start, first at ${found.name}`;
    case "denied":
      return `none: ${found.file} is not executable`;
    case "hidden":
      return `none: ${found.hiding.path} (${found.hiding.reason}) seems empty; ` +
        `--show ${parentOf(found.file)} shows ${found.file}`;
    case "none":
      return program.includes("/")
        ? `none: there is no file ${program}`
        : `none: no directory of PATH has a program ${program}`;
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
