/**
 * Resolves paths from a root, for the few requests of the base protocol that need a file's
 * directory: "..", Trename, Tremove.
 *
 * A path is resolved from the root, component by component, never through a symlink. If a host
 * process has moved a directory meanwhile, the result is ENOENT or another file beneath the root,
 * never one above it.
 */

import { ENOENT } from "../../ffi/abi/errno.ts";
import { type ByteString, Str } from "../protocol/wire.ts";
import { statIdentity } from "./attributes.ts";
import type { ExportRoot } from "./export_root.ts";
import { closeFd, dupFd, openPath, statxFd, statxName } from "./host_calls.ts";
import { stageName } from "./scratch.ts";

const component = new Str();

/** The parent's path; that of the root is the root. */
export function parentPath(path: ByteString): ByteString {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

/** An O_PATH descriptor of the file at `path` from the root, or -errno. */
export function openFromRoot(root: ExportRoot, path: ByteString): number {
  let fd = dupFd(root.fd);
  if (path === "") return fd;
  for (const name of path.split("/")) {
    if (fd < 0) return fd;
    component.set(name);
    const addr = stageName(component);
    const next = addr < 0 ? addr : openPath(fd, addr);
    closeFd(fd);
    fd = next;
  }
  return fd;
}

/**
 * The directory that still holds `fd`'s file under the last name of `path`: an O_PATH descriptor,
 * with that name staged in slot 0; or -errno, ENOENT when another file is there by now.
 */
export function openDirectoryOf(root: ExportRoot, path: ByteString, fd: number): number {
  let r = statxFd(fd);
  if (r < 0) return r;
  const identity = statIdentity();
  const dir = openFromRoot(root, parentPath(path));
  if (dir < 0) return dir;
  component.set(path.slice(path.lastIndexOf("/") + 1));
  const addr = stageName(component);
  r = addr < 0 ? addr : statxName(dir, addr);
  if (r >= 0 && statIdentity() !== identity) r = -ENOENT;
  if (r < 0) {
    closeFd(dir);
    return r;
  }
  return dir;
}
