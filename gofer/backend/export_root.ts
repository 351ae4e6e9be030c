// One exported directory (or single file, for a bind mount of a file) and what may be done with it.

import { errnoName } from "../../ffi/sys/errors.ts";
import { attachTree, openConfined } from "./confined_tree.ts";
import { closeFd } from "./host_calls.ts";

export interface ExportRoot {
  /** O_PATH descriptor of the root itself. */
  readonly fd: number;
  /** Whether it is a clone that nothing leads out of (confined_tree.ts). */
  readonly isClone: boolean;
  /** Every change is EROFS, every open for writing too. */
  readonly isReadOnly: boolean;
  /** Clients may connect to sockets in it, and open FIFOs. */
  readonly connects: boolean;
  /** Clients may make sockets in it that others connect to. */
  readonly binds: boolean;
  /** What the host mounts below it later is to be seen. */
  readonly follows: boolean;
  /** As the user named it, for messages. */
  readonly label: string;
}

export interface RootOptions {
  /** Without what is mounted below it. */
  readonly isFlat?: boolean;
  readonly connects?: boolean;
  /** Descriptor of the root where it is a clone already, with its attributes; -1: none. */
  readonly copy?: number;
  readonly binds?: boolean;
  readonly follows?: boolean;
}

/**
 * What a whole server may do.
 *
 * `squash`: new files stay the server's user's, whatever owner a request names. `devices`: device nodes may be made.
 * `donateDirectories`: Topenfd may hand out directories too; whoever holds one can climb above the root with "..",
 * unless its seccomp filter allows no openat.
 */
export interface ServerPolicy {
  readonly squash: boolean;
  readonly devices: boolean;
  readonly donateDirectories: boolean;
}

/** The policy of the sandbox: exact owners, no device nodes, no directories handed out. */
export const DEFAULT_POLICY: ServerPolicy = {
  squash: false,
  devices: false,
  donateDirectories: false,
};

/**
 * Opens a root. Symlinks in `path` are followed: it is the user's word. Throws an Error that names the path.
 */
export function openRoot(path: string, isReadOnly: boolean, options: RootOptions = {}): ExportRoot {
  const { isFlat = false, connects = false, binds = false, follows = false, copy = -1 } = options;
  const { fd, isClone } = copy >= 0
    ? { fd: copy, isClone: true }
    : openConfined(path, { isReadOnly, isFlat, follows });
  if (fd < 0) throw new Error(`root ${path} cannot be opened: ${errnoName(fd)}`);
  return { fd, isClone, isReadOnly, connects, binds, follows, label: path };
}

/**
 * Lets roots hear of what the host mounts; when all are open, since names lead into them afterwards. Returns what cannot
 * be, a line each.
 */
export function followHost(roots: readonly ExportRoot[]): string[] {
  return roots.filter((root) => root.follows && root.isClone).flatMap(({ fd, label }) => {
    const r = attachTree(fd, label);
    return r < 0 ? [`${label}: later mounts of the host will not be seen: ${errnoName(r)}`] : [];
  });
}

export function closeRoot(root: ExportRoot): void {
  closeFd(root.fd);
}
