/** Paths that are hidden from a container, and paths that are read-only (config-linux.md). */

import { ENOENT, ENOTDIR, ENXIO } from "../../../ffi/abi/errno.ts";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY } from "../../../ffi/abi/mount.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { TmpfsFs } from "../../../kernel/fs/tmpfs/tmpfs.ts";
import { isDirectory } from "../../../kernel/vfs/access.ts";
import type { Caller } from "../../../kernel/vfs/caller.ts";
import { dropPath, holdPath, type Path } from "../../../kernel/vfs/dentry.ts";
import { addMount, bindMount, remount } from "../../../kernel/vfs/mount_operations.ts";
import { findAt } from "../../../kernel/vfs/status.ts";
import { UserError } from "../../user_error.ts";
import { cannot } from "../../file_error.ts";
import { findNull, NULL_PATH } from "./devices.ts";

/** Bind-mounts a path over itself, read-only. A path that does not exist is ignored. */
export function makeReadOnly(caller: Caller, path: string, jsonPath: string): void {
  const at = existing(caller, path, jsonPath);
  if (at === null) return;
  let r = bindMount(caller, at, at, true);
  const copy = findAt(caller, AT_FDCWD, path, 0);
  if (r === 0) {
    r = typeof copy === "number"
      ? copy
      : remount(caller, copy, copy.mount.flags | MS_RDONLY, true, "");
  }
  if (r < 0) throw cannot("cannot make read-only", path, r, jsonPath);
}

/**
 * Hides a directory behind an empty one, and a file behind /dev/null. A path that does not exist is
 * ignored.
 */
export function mask(
  kernel: SandboxKernel,
  caller: Caller,
  path: string,
  jsonPath: string,
): void {
  const at = existing(caller, path, jsonPath);
  if (at === null) return;
  holdPath(at);
  try {
    const { inode } = at.dentry;
    const r = inode !== null && isDirectory(inode)
      ? coverDirectory(kernel, caller, at)
      : coverFile(caller, at, jsonPath);
    if (r < 0) throw cannot("cannot hide", path, r, jsonPath);
  } finally {
    dropPath(at);
  }
}

function coverDirectory(kernel: SandboxKernel, caller: Caller, at: Path): number {
  const empty = TmpfsFs.fromOptions(
    caller.account,
    kernel.memory.frames,
    kernel.vfs,
    "mode=0755,size=0",
  );
  if (typeof empty === "number") return empty;
  empty.readOnly = true;
  const flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  return addMount(caller, empty, at, flags, "tmpfs");
}

/**
 * An image's /dev/null may be a link, even to the file to hide. Covering a file with that would
 * hide nothing (CVE-2025-31133).
 */
function coverFile(caller: Caller, at: Path, jsonPath: string): number {
  const none = findNull(caller);
  if (typeof none !== "number") return bindMount(caller, none, at, false);
  if (none !== -ENXIO) return none;
  throw new UserError(`config.json: ${jsonPath}: ${NULL_PATH} is not the null device`);
}

/** The path if it exists, or null. */
function existing(caller: Caller, path: string, jsonPath: string): Path | null {
  const found = findAt(caller, AT_FDCWD, path, 0);
  if (typeof found !== "number") return found;
  if (found === -ENOENT || found === -ENOTDIR) return null;
  throw cannot("cannot find", path, found, jsonPath);
}
