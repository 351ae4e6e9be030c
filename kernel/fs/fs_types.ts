/**
 * The file system types that mount(2) knows, and the contract by which one is made.
 * kernel/file_systems.ts registers them when the kernel is built; /proc/filesystems shows them.
 */

import type { NamespaceKind } from "../cred/namespace.ts";
import type { Caller } from "../vfs/caller.ts";
import type { FileSystem } from "../vfs/inode.ts";

export abstract class FsType {
  /** The name in mount(2) and /proc/filesystems. */
  abstract readonly name: string;
  /** It needs no block device, as all types here. */
  readonly isNoDev: boolean = true;
  /** Root of a user namespace may mount it (FS_USERNS_MOUNT). */
  readonly isForUsers: boolean = false;
  /** The kind of its maker's namespace whose contents it shows; null: none. */
  readonly shows: NamespaceKind | null = null;
  /**
   * Makes a file system (or returns the existing one), or -errno. `options` are the data of
   * mount(2), a byte string.
   */
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

  /** The text of /proc/filesystems. */
  list(): string {
    let text = "";
    for (const type of this.types.values()) {
      text += `${type.isNoDev ? "nodev" : ""}\t${type.name}\n`;
    }
    return text;
  }
}
