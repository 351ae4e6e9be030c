/**
 * Finds what a script needs on the host: the `dvisor` executable, and the directory with the
 * sockets of running sandboxes.
 */

import { access, constants, lstat, readFile, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { isSandboxId } from "../protocol/session/limits.ts";
import { InvalidArgumentError, NotFoundError } from "./errors.ts";

/** Bits of a mode that let other users in. */
const OTHERS = 0o077;

/** The package with the executable for this machine. */
export const BINARY_PACKAGE = `@dvisor/${process.platform}-${process.arch}`;

/**
 * The path of the executable: the option, `$DVISOR`, the package for this machine, this project's
 * build, or PATH.
 * @throws NotFoundError
 */
export async function findBinary(asked: string | undefined): Promise<string> {
  const named = asked ?? process.env["DVISOR"];
  if (named !== undefined && named !== "") {
    if (await isExecutable(named)) return named;
    const source = asked === undefined ? "$DVISOR" : "the option `binary`";
    throw new NotFoundError(`${source} names ${named}, which is no executable file`, {
      path: named,
    });
  }
  const places = [await packaged(), built()].filter((path) => path !== null);
  places.push(...(process.env["PATH"] ?? "").split(delimiter).map((dir) => join(dir, "dvisor")));
  for (const path of places) if (await isExecutable(path)) return path;
  throw new NotFoundError(
    `there is no executable dvisor: install the package ${BINARY_PACKAGE}, put dvisor into PATH, ` +
      "or name it with $DVISOR or the option `binary`",
  );
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

async function packaged(): Promise<string | null> {
  try {
    if (import.meta.url.startsWith("file:")) {
      return fileURLToPath(import.meta.resolve(`${BINARY_PACKAGE}/dvisor`));
    }
    // From JSR, whose packages have no executables: Deno fetches the one of the same version.
    const version = /\/dvisor\/([^/]+)\//.exec(import.meta.url)?.[1] ?? "*";
    const module: { readonly path: string } = await import(`npm:${BINARY_PACKAGE}@${version}`);
    return module.path;
  } catch {
    return null;
  }
}

function built(): string | null {
  if (!import.meta.url.startsWith("file:")) return null;
  return fileURLToPath(new URL("../../dist/dvisor", import.meta.url));
}

/**
 * The directories with the sockets of this user's sandboxes (docs/protocol.md). One that another
 * user can change is left out: a socket in it cannot be trusted, and dvisor puts none there.
 */
export async function socketDirectories(): Promise<string[]> {
  const uid = process.geteuid?.() ?? 0, runtime = process.env["XDG_RUNTIME_DIR"] ?? "";
  const outside = await outsideId(uid);
  const places = [
    "/run/dvisor",
    ...runtime.startsWith("/") ? [join(runtime, "dvisor")] : [],
    `/run/user/${uid}/dvisor`,
    `/tmp/dvisor-${outside}`,
    `/dev/shm/dvisor-${outside}`,
  ];
  const directories = [...new Set(places)].map((place) => `${place}-sandboxes`);
  const own = await Promise.all(directories.map((directory) => isOwn(directory, uid)));
  return directories.filter((_, i) => own[i]);
}

/** The user's id outside of this process's user namespace: there each user can be user 0. */
async function outsideId(uid: number): Promise<number> {
  for (const line of (await readFile("/proc/self/uid_map", "utf8")).split("\n")) {
    const [first = NaN, outside = NaN, count = NaN] = line.trim().split(/\s+/).map(Number);
    if (first <= uid && uid < first + count) return outside + uid - first;
  }
  return uid;
}

/** Whether it is a directory of this user alone. */
async function isOwn(path: string, uid: number): Promise<boolean> {
  try {
    const status = await lstat(path);
    return status.isDirectory() && status.uid === uid && (status.mode & OTHERS) === 0;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "EACCES") return false;
    throw error;
  }
}

/** @throws InvalidArgumentError */
export function checkId(id: string): void {
  if (isSandboxId(id)) return;
  throw new InvalidArgumentError(
    "the id of a sandbox has up to 63 letters, digits and . _ + -, and begins with a letter or " +
      `digit, got ${JSON.stringify(id)}`,
  );
}

/** The name of the error number of a failed call of the host; "": it has none. */
export function errnoOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "";
}
