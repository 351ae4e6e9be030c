/**
 * Copies trees between the host and a sandbox, several files at a time.
 *
 * What a sandbox says of its files is not believed on the host: names are checked, existing links
 * are not followed, and links are made last, so that no file is written through one of them.
 */

import { constants } from "node:fs";
import { chmod, lstat, mkdir, open, readdir, readlink, rm, stat, symlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Change, FileStatus } from "../protocol/session/messages.ts";
import {
  AlreadyExistsError,
  hostError,
  NotADirectoryError,
  NotEmptyError,
  SandboxError,
} from "./errors.ts";
import type { FileOptions, SandboxFiles } from "./files.ts";
import { errnoOf } from "./find.ts";
import * as is from "./option_checks.ts";

/** How far a copy is. */
export interface Progress {
  /** The file that was copied last, or is being copied. */
  readonly path: string;
  readonly bytes: number;
  readonly totalBytes: number;
  readonly files: number;
  readonly totalFiles: number;
}

export interface TransferOptions extends FileOptions {
  /** Called after each piece of a file and at its end. */
  readonly onProgress?: (progress: Progress) => void;
}

/** What was copied. */
export interface Transferred {
  readonly files: number;
  readonly bytes: number;
  /** Not copied: sockets, devices, named pipes, and what has a name that is no text. */
  readonly skipped: readonly string[];
}

const CHECKS: is.Checks = { user: is.user, signal: is.abortSignal, onProgress: is.callback };
/** Files that are copied at a time. */
const AT_ONCE = 8;
const PIECE_BYTES = 512 << 10;
/** Permission bits; set-user-ID bits of a sandbox's file are not for the host. */
const PERMISSIONS = 0o777;
const OWNER_ALL = 0o700;

/** A file or link to copy. */
interface Item {
  readonly from: string;
  readonly to: string;
  readonly size: number;
  readonly mode: number;
}

/** What a walk over the source found; directories before what is in them. */
interface Plan {
  readonly directories: Item[];
  readonly files: Item[];
  readonly links: Item[];
  readonly skipped: string[];
}

function emptyPlan(): Plan {
  return { directories: [], files: [], links: [], skipped: [] };
}

/** Options of the requests of a copy. */
function rightsOf({ user, signal }: TransferOptions): FileOptions {
  return {
    ...user === undefined ? {} : { user },
    ...signal === undefined ? {} : { signal },
  };
}

/** Counts what is done. */
class Meter {
  readonly #options: TransferOptions;
  readonly #totalBytes: number;
  readonly #totalFiles: number;
  #bytes = 0;
  #files = 0;

  constructor(plan: Plan, options: TransferOptions) {
    this.#options = options;
    this.#totalBytes = plan.files.reduce((sum, file) => sum + file.size, 0);
    this.#totalFiles = plan.files.length;
  }

  addBytes(path: string, bytes: number): void {
    this.#bytes += bytes;
    this.#report(path);
  }

  addFile(path: string): void {
    this.#files++;
    this.#report(path);
  }

  #report(path: string): void {
    this.#options.signal?.throwIfAborted();
    this.#options.onProgress?.({
      path,
      bytes: this.#bytes,
      totalBytes: this.#totalBytes,
      files: this.#files,
      totalFiles: this.#totalFiles,
    });
  }

  done(skipped: readonly string[]): Transferred {
    return { files: this.#files, bytes: this.#bytes, skipped };
  }
}

/** Copies from the host. */
export async function upload(
  files: SandboxFiles,
  hostPath: string,
  guestPath: string,
  options: TransferOptions,
): Promise<Transferred> {
  is.checkOptions("upload", options, CHECKS);
  const rights = rightsOf(options);
  const plan = await onHost("read", hostPath, () => planOfHost(resolve(hostPath), guestPath));
  const meter = new Meter(plan, options);
  for (const { to, mode } of plan.directories) {
    await files.mkdir(to, { ...rights, recursive: true, mode: mode | OWNER_ALL });
  }
  await eachOf(plan.files, AT_ONCE, async (item) => {
    await onHost("read", item.from, () => uploadFile(files, item, rights, meter));
    meter.addFile(item.from);
  });
  await eachOf(plan.links, AT_ONCE, async ({ from, to }) => {
    await files.symlink(await onHost("read", from, () => readlink(from)), to, rights);
  });
  for (const { to, mode } of plan.directories.reverse()) {
    if ((mode & OWNER_ALL) !== OWNER_ALL) await files.chmod(to, mode, rights);
  }
  return meter.done(plan.skipped);
}

async function uploadFile(
  files: SandboxFiles,
  { from, to, mode }: Item,
  rights: FileOptions,
  meter: Meter,
): Promise<void> {
  const file = await open(from, "r");
  try {
    const writer = files.writable(to, { ...rights, mode }).getWriter();
    try {
      for await (const piece of piecesOf(file)) {
        await writer.write(piece);
        meter.addBytes(from, piece.length);
      }
      await writer.close();
    } catch (error) {
      await writer.abort(error).catch(() => {});
      throw error;
    }
  } finally {
    await file.close();
  }
}

async function* piecesOf(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (;;) {
    const buffer = new Uint8Array(PIECE_BYTES);
    const { bytesRead } = await file.read(buffer, 0, PIECE_BYTES, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

async function planOfHost(from: string, to: string): Promise<Plan> {
  const plan = emptyPlan();
  const waiting = [{ from, to, isTop: true }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const status = await (next.isTop ? stat : lstat)(next.from);
    const item = { ...next, size: status.size, mode: status.mode & PERMISSIONS };
    if (status.isFile()) plan.files.push(item);
    else if (status.isSymbolicLink()) plan.links.push(item);
    else if (!status.isDirectory()) plan.skipped.push(next.from);
    else {
      plan.directories.push(item);
      for (const name of await readdir(next.from)) {
        waiting.push({ from: join(next.from, name), to: inside(next.to, name), isTop: false });
      }
    }
  }
  return plan;
}

/** Copies to the host. */
export async function download(
  files: SandboxFiles,
  guestPath: string,
  hostPath: string,
  options: TransferOptions,
): Promise<Transferred> {
  is.checkOptions("download", options, CHECKS);
  const rights = rightsOf(options);
  const to = resolve(hostPath), top = await files.stat(guestPath, rights);
  return await copyOut(files, await planOfGuest(files, guestPath, to, top, rights), options);
}

/**
 * Copies changed files to a new or empty directory of the host, under the paths that they have in
 * the sandbox.
 */
export async function commitChanges(
  files: SandboxFiles,
  changes: readonly Change[],
  directory: string,
): Promise<void> {
  await onHost("make", directory, () => mkdir(directory, { recursive: true }));
  if ((await onHost("read", directory, () => readdir(directory))).length > 0) {
    throw new NotEmptyError(`cannot commit to ${directory}: it must be a new or empty directory`, {
      path: directory,
    });
  }
  const plan = emptyPlan();
  for (const { path, kind } of changes) {
    if (kind === "removed" || path === "/") continue;
    if (!isText(path)) continue;
    const names = path.split("/").slice(1);
    for (const name of names) checkName(name, path);
    const status = await files.stat(path, { follow: false });
    addToPlan(plan, { from: path, to: join(directory, ...names), ...sizeAndMode(status) }, status);
  }
  await onHost("make", directory, () => makeParents(plan, directory));
  await copyOut(files, plan, {});
}

/** Makes the directories that have not changed themselves. */
async function makeParents(plan: Plan, root: string): Promise<void> {
  for (const { to } of [...plan.directories, ...plan.files, ...plan.links]) {
    if (to !== root) await mkdir(dirname(to), { recursive: true });
  }
}

/** Copies what a plan has to the host. */
async function copyOut(
  files: SandboxFiles,
  plan: Plan,
  options: TransferOptions,
): Promise<Transferred> {
  const rights = rightsOf(options), meter = new Meter(plan, options);
  for (const { to } of plan.directories) await onHost("make", to, () => makeDirectory(to));
  await eachOf(plan.files, AT_ONCE, async (item) => {
    await onHost("write", item.to, () => downloadFile(files, item, rights, meter));
    meter.addFile(item.from);
  });
  for (const { from, to } of plan.links) {
    const target = await files.readlink(from, rights);
    await onHost("link", to, () => replaceLink(target, to));
  }
  for (const { to, mode } of plan.directories.reverse()) {
    await onHost("change", to, () => chmod(to, mode));
  }
  return meter.done(plan.skipped);
}

async function planOfGuest(
  files: SandboxFiles,
  from: string,
  to: string,
  top: FileStatus,
  rights: FileOptions,
): Promise<Plan> {
  const plan = emptyPlan();
  const waiting = [{ from, to, status: top }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    addToPlan(plan, { from: next.from, to: next.to, ...sizeAndMode(next.status) }, next.status);
    if (next.status.type !== "directory") continue;
    for (const status of await files.list(next.from, rights)) {
      checkName(status.name, next.from);
      const from = inside(next.from, status.name), to = join(next.to, status.name);
      if (isText(from)) waiting.push({ from, to, status });
      else plan.skipped.push(from);
    }
  }
  return plan;
}

/** Whether a path is text, and has no single bytes (messages.ts), which the host could not name. */
function isText(path: string): boolean {
  return !/[\udc80-\udcff]/u.test(path);
}

function sizeAndMode({ size, mode }: FileStatus): { readonly size: number; readonly mode: number } {
  return { size, mode: mode & PERMISSIONS };
}

function addToPlan(plan: Plan, item: Item, { type }: FileStatus): void {
  if (type === "file") plan.files.push(item);
  else if (type === "symlink") plan.links.push(item);
  else if (type === "directory") plan.directories.push(item);
  else plan.skipped.push(item.from);
}

/** Checks that a name stays in its directory. */
function checkName(name: string, directory: string): void {
  const isName = typeof name === "string" && name !== "" && name !== "." && name !== ".." &&
    !/[/\0]/.test(name);
  if (isName) return;
  throw new SandboxError("Protocol", `the sandbox has no good name in ${directory}`, {
    path: directory,
  });
}

async function downloadFile(
  files: SandboxFiles,
  { from, to, mode }: Item,
  rights: FileOptions,
  meter: Meter,
): Promise<void> {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  const file = await open(to, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);
  try {
    // The loop ends the stream when a write fails.
    for await (const piece of files.readable(from, rights)) {
      await writeAll(file, piece);
      meter.addBytes(from, piece.length);
    }
    await file.chmod(mode);
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
  }
}

/** The directory may exist, but must be none that a link leads to. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: OWNER_ALL });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    if (!(await lstat(path)).isDirectory()) {
      throw new NotADirectoryError(`cannot make ${path}: it exists and is no directory`, { path });
    }
  }
}

async function replaceLink(target: string, path: string): Promise<void> {
  try {
    await symlink(target, path);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    if (!(await lstat(path)).isSymbolicLink()) {
      throw new AlreadyExistsError(`cannot link ${path}: it exists and is no link`, { path });
    }
    await rm(path);
    await symlink(target, path);
  }
}

function inside(directory: string, name: string): string {
  return directory.endsWith("/") ? `${directory}${name}` : `${directory}/${name}`;
}

/** Calls `fn` for each item, `atOnce` at a time. The first failure stops what has not begun. */
async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  fn: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0, hasFailed = false;
  const worker = async (): Promise<void> => {
    while (next < items.length && !hasFailed) {
      const item = items[next++];
      if (item === undefined) continue;
      try {
        await fn(item);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** A failure of the host's file system as an error of the library. */
async function onHost<T>(verb: string, path: string, fn: () => Promise<T>): Promise<T> {
  try {
    return await fn();
  } catch (error) {
    const errno = errnoOf(error);
    if (error instanceof SandboxError || errno === "") throw error;
    // A call about one of the files of a tree names that one.
    const own = pathOf(error, "dest") ?? pathOf(error, "path") ?? path;
    // What does not exist, when a file is made, is a directory above it.
    const missing = errno === "ENOENT" && verb !== "read" ? dirname(own) : own;
    const what = `cannot ${verb} ${own} on the host${missing === own ? "" : `: ${missing}`}`;
    throw hostError(what, errno, { path: own, cause: error });
  }
}

/** A path of a failed call of the host; `dest` is that of the link that it was to make. */
function pathOf(error: unknown, name: "path" | "dest"): string | null {
  const path: unknown = error instanceof Error ? Reflect.get(error, name) : null;
  return typeof path === "string" ? path : null;
}
