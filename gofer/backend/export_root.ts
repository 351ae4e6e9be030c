/**
 * One exported directory (or single file, for a bind mount of a file), and which requests may do
 * what with it.
 */

import { errnoName } from "../../ffi/sys/errors.ts";
import { attachTree, openConfined } from "./confined_tree.ts";
import { closeFd } from "./host_calls.ts";
import { VisiblePart } from "./visible_part.ts";
import type { ByteString } from "../protocol/wire.ts";

export interface ExportRoot {
  /** O_PATH descriptor of the root itself. */
  readonly fd: number;
  /** Whether it is a clone without a way out (confined_tree.ts). */
  readonly isClone: boolean;
  /** Every change fails with EROFS, and every open for writing too. */
  readonly isReadOnly: boolean;
  /** Clients may connect to sockets in it, and open FIFOs. */
  readonly connects: boolean;
  /** Clients may make sockets in it to which others connect. */
  readonly binds: boolean;
  /** Shows what the host mounts below it later. */
  readonly follows: boolean;
  /** The path that the user gave, for messages. */
  readonly label: string;
  /** null: clients see all of it. */
  readonly visible: VisiblePart | null;
}

interface RootOptions {
  /** Leaves out what is mounted below it. */
  readonly isFlat?: boolean;
  readonly connects?: boolean;
  /** Descriptor of the root where it is a clone already, with its attributes; -1: none. */
  readonly copy?: number;
  readonly binds?: boolean;
  readonly follows?: boolean;
  /** Its files are served as their modes permit to others. */
  readonly isPublic?: boolean;
  /** Paths in it that are shown in any case, and that are not shown (visible_part.ts). */
  readonly shown?: readonly ByteString[];
  readonly hidden?: readonly ByteString[];
}

/**
 * The policy of a whole server.
 *
 * `squash`: new files belong to the server's user, whatever owner a request names. `devices`:
 * device nodes may be made. `donateDirectories`: Topenfd may return directories too; a process that
 * has one can leave the root with "..", unless its seccomp filter forbids openat.
 */
export interface ServerPolicy {
  readonly squash: boolean;
  readonly devices: boolean;
  readonly donateDirectories: boolean;
}

/** The policy for a sandbox: exact owners, no device nodes, no directories. */
export const DEFAULT_POLICY: ServerPolicy = {
  squash: false,
  devices: false,
  donateDirectories: false,
};

/**
 * Opens a root. Symlinks in `path` are followed, since the user chose it. Throws an Error that
 * names the path.
 */
export function openRoot(path: string, isReadOnly: boolean, options: RootOptions = {}): ExportRoot {
  const { isFlat = false, connects = false, binds = false, follows = false, copy = -1 } = options;
  const { isPublic = false, shown = [], hidden = [] } = options;
  const { fd, isClone } = copy >= 0
    ? { fd: copy, isClone: true }
    : openConfined(path, { isReadOnly, isFlat, follows });
  if (fd < 0) throw new Error(`root ${path} cannot be opened: ${errnoName(fd)}`);
  const isPart = isPublic || hidden.length > 0;
  const visible = isPart ? new VisiblePart(fd, { isPublic, shown, hidden }) : null;
  return { fd, isClone, isReadOnly, connects, binds, follows, label: path, visible };
}

/**
 * Attaches the roots that show later mounts of the host. To be called when all roots are open,
 * since names lead into the clones afterwards. Returns the failures, a line each.
 */
export function followHost(roots: readonly ExportRoot[]): string[] {
  return roots.filter((root) => root.follows && root.isClone).flatMap(({ fd, label }) => {
    const r = attachTree(fd, label);
    return r < 0 ? [`${label}: later mounts of the host will not be seen: ${errnoName(r)}`] : [];
  });
}

/** Closes the descriptors of an exported directory. */
export function closeRoot(root: ExportRoot): void {
  root.visible?.close();
  closeFd(root.fd);
}
