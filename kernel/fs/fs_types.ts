/**
 * The file system types that mount(2) knows, and how one is made. Types are objects, registered when the kernel is
 * built; /proc/filesystems shows them.
 */

import type { NamespaceKind } from "../cred/namespace.ts";
import type { Caller } from "../vfs/caller.ts";
import type { FileSystem } from "../vfs/inode.ts";

export abstract class FsType {
  /** As in mount(2) and /proc/filesystems. */
  abstract readonly name: string;
  /** Needs no block device; all of ours. */
  readonly isNoDev: boolean = true;
  /** Root of a user namespace may mount it (FS_USERNS_MOUNT). */
  readonly isForUsers: boolean = false;
  /** Of which of its maker's namespaces it shows something; null: of none. */
  readonly shows: NamespaceKind | null = null;
  /** A new file system (or the one there is), or -errno. `options` are mount(2)'s data: a byte string. */
  abstract create(caller: Caller, source: string, options: string): FileSystem | number;
}

export class FsTypes {
  private readonly types: Map<string, FsType> = new Map();

  register(type: FsType): void {
    this.types.set(type.name, type);
  }

  find(name: string): FsType | null {
    return this.types.get(name) ?? null;
  }

  /** Their names, in order of registration. */
  names(): string[] {
    return [...this.types.keys()];
  }

  /** Text of /proc/filesystems. */
  list(): string {
    let text = "";
    for (const type of this.types.values()) {
      text += `${type.isNoDev ? "nodev" : ""}\t${type.name}\n`;
    }
    return text;
  }
}
