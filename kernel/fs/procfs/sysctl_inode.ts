/** A file of /proc/sys (sysctl(8)): who may read and write it, and that it is written at once. */

import { EACCES } from "../../../ffi/abi/errno.ts";
import { O_ACCMODE, O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import { S_IFREG } from "../../../ffi/abi/stat.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import type { GeneratedFs } from "../generated/generated_fs.ts";
import { type Polling, TextInode } from "../generated/text_inode.ts";
import type { ProcSource } from "./source.ts";
import type { Setting, SysctlStore } from "./sysctl_store.ts";

/** Where settings of network namespaces are. */
export const NET = "net/";

export abstract class SysctlInode extends TextInode {
  protected readonly source: ProcSource;
  /** It belongs to the network namespace of whoever looks. */
  readonly #isOfNet: boolean;

  constructor(
    fs: GeneratedFs,
    ino: number,
    permissions: number,
    source: ProcSource,
    isOfNet: boolean,
  ) {
    super(fs, ino, permissions);
    this.source = source;
    this.#isOfNet = isOfNet;
  }

  /** Without its newline; or -errno. */
  protected abstract value(): string | number;
  /** 0 or -errno. */
  protected abstract change(text: string): number;

  override get polling(): Polling {
    return "ready";
  }
  protected override get isModeFixed(): boolean {
    return true;
  }
  protected override get isOwnerFixed(): boolean {
    return true;
  }

  /** Who administers a network may do what its owner may. */
  override checkMode(mask: number, cred: Credentials): number {
    const isOwners = this.#isOfNet && this.source.netSettings.isAdministrator(cred);
    if (!isOwners) return super.checkMode(mask, cred);
    return (mask & ~(this.mode >> 6) & 7) === 0 ? 0 : -EACCES;
  }

  /** What nobody may write, root cannot open for it either. */
  override open(dentry: Dentry, flags: number, cred: Credentials): OpenFile | number {
    const writes = (flags & O_ACCMODE) !== O_RDONLY;
    return writes && (this.mode & 0o222) === 0 ? -EACCES : super.open(dentry, flags, cred);
  }

  override render(): string | number {
    const value = this.value();
    return typeof value === "string" ? value + "\n" : value;
  }

  /** Values are written at once, from the beginning: later parts of a text are taken and dropped. */
  override store(text: string, offset: number): number {
    if (offset > 0 || text === "") return text.length;
    const r = this.change(text);
    return r < 0 ? r : text.length;
  }
}

/** A setting of sysctl_table.ts. */
export class StoredInode extends SysctlInode {
  readonly #setting: Setting;

  constructor(fs: GeneratedFs, source: ProcSource, setting: Setting) {
    super(fs, fs.nextIno(), setting.permissions, source, setting.path.startsWith(NET));
    this.#setting = setting;
  }

  /** The network namespace of whoever looks does not have it. */
  get isHidden(): boolean {
    return this.#setting.isOfFirst === "hidden" && !this.source.netSettings.isFirst;
  }
  /** It can be seen from other network namespaces than the first one. */
  get #isForeign(): boolean {
    return this.#setting.isOfFirst === "shown" && !this.source.netSettings.isFirst;
  }
  get #store(): SysctlStore {
    const { path, isOfFirst } = this.#setting;
    const isOfCaller = path.startsWith(NET) && isOfFirst === undefined;
    return isOfCaller ? this.source.netSettings.store : this.source.sysctl;
  }

  override refresh(): number {
    const { permissions } = this.#setting;
    this.mode = S_IFREG | (this.#isForeign ? permissions & 0o444 : permissions);
    return 0;
  }
  override open(dentry: Dentry, flags: number, cred: Credentials): OpenFile | number {
    this.refresh();
    return super.open(dentry, flags, cred);
  }
  protected override value(): string {
    return this.#store.get(this.#setting.path);
  }
  protected override change(text: string): number {
    return this.#store.set(this.#setting.path, text);
  }
}
