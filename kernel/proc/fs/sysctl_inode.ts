/**
 * A file of /proc/sys (sysctl(8)): permissions, reads and writes. An open file stays with the
 * namespaces of its opener: a process that receives the descriptor changes the opener's settings
 * and not its own. DIFFERS: Linux takes the namespaces at the walk of the path, not at open(2).
 */

import type { Account } from "../../core/account.ts";
import { EACCES, ENOENT, EPERM } from "../../../ffi/abi/errno.ts";
import { O_ACCMODE, O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import { S_IFREG } from "../../../ffi/abi/stat.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { UserNamespace } from "../../cred/user_namespace.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import type { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { type Polling, TextFile, TextInode } from "../../fs/generated/text_inode.ts";
import type { NetSettings, ProcSource } from "./source.ts";
import type { Setting, SysctlStore } from "./sysctl_store.ts";

/** The directory of network settings. */
export const NET = "net/";

/** The opener's namespaces, to which settings of network and user namespaces belong. */
export interface SysctlScope {
  readonly net: NetSettings;
  readonly userNs: UserNamespace;
}

export abstract class SysctlInode extends TextInode {
  protected readonly source: ProcSource;
  /** It belongs to the caller's network namespace. */
  private readonly isOfNet: boolean;

  constructor(
    fs: GeneratedFs,
    ino: number,
    permissions: number,
    source: ProcSource,
    isOfNet: boolean,
  ) {
    super(fs, ino, permissions);
    this.source = source;
    this.isOfNet = isOfNet;
  }

  /** The value without a newline, or -errno. */
  protected abstract value(scope: SysctlScope): string | number;
  /** Changes the value: 0 or -errno. */
  protected abstract change(text: string, scope: SysctlScope): number;

  override get polling(): Polling {
    return "ready";
  }
  protected override get isModeFixed(): boolean {
    return true;
  }
  protected override get isOwnerFixed(): boolean {
    return true;
  }

  /**
   * User 0 of the first namespace, whatever its capabilities, and an administrator of the network
   * have root's bits; its group 0 has the group's (test_perm of Linux).
   */
  override checkMode(mask: number, cred: Credentials): number {
    const isOwners = cred.euid === 0 ||
      (this.isOfNet && this.source.netSettings.isAdministrator(cred));
    const isGroups = cred.egid === 0 || cred.groups.includes(0);
    const shift = isOwners ? 6 : isGroups ? 3 : 0;
    return (mask & ~(this.mode >> shift) & 7) === 0 ? 0 : -EACCES;
  }

  /** A file without a write permission cannot be opened for writing, not even by root. */
  override open(
    _dentry: Dentry,
    flags: number,
    cred: Credentials,
    account: Account,
  ): OpenFile | number {
    const writes = (flags & O_ACCMODE) !== O_RDONLY;
    if (writes && (this.mode & 0o222) === 0) return -EACCES;
    return new SysctlFile(account, this, flags, this.scopeFor(cred));
  }

  /** The scope for writes by an opener with these credentials. */
  private scopeFor(cred: Credentials): SysctlScope {
    return { net: this.source.netSettings, userNs: cred.userNs };
  }

  /** Sets a value for a container, without an open file: 0 or -errno. */
  set(value: string, cred: Credentials): number {
    const r = this.storeFor(value, 0, this.scopeFor(cred));
    return r < 0 ? r : 0;
  }

  /** Only an open file has a text. */
  override render(): number {
    return -EPERM;
  }

  renderFor(scope: SysctlScope): string | number {
    if (this.isOfNet && scope.net.isGone) return -ENOENT;
    const value = this.value(scope);
    return typeof value === "string" ? value + "\n" : value;
  }

  /**
   * A write is applied at once and starts at the beginning; later parts of a text are accepted and
   * dropped.
   */
  storeFor(text: string, offset: number, scope: SysctlScope): number {
    if (this.isOfNet && scope.net.isGone) return -ENOENT;
    if (offset > 0 || text === "") return text.length;
    const r = this.change(text, scope);
    return r < 0 ? r : text.length;
  }
}

export class SysctlFile extends TextFile {
  private readonly sysctl: SysctlInode;
  private readonly scope: SysctlScope;

  constructor(account: Account, inode: SysctlInode, flags: number, scope: SysctlScope) {
    super(account, inode, flags);
    this.sysctl = inode;
    this.scope = scope;
    scope.userNs.hold();
  }

  override get takesSplice(): boolean {
    return true;
  }
  protected override render(): string | number {
    return this.sysctl.renderFor(this.scope);
  }
  protected override store(text: string, offset: number): number {
    return this.sysctl.storeFor(text, offset, this.scope);
  }
  protected override release(): void {
    super.release();
    this.scope.userNs.drop();
  }
}

/** A setting of sysctl_table.ts. */
export class StoredInode extends SysctlInode {
  private readonly setting: Setting;

  constructor(fs: GeneratedFs, source: ProcSource, setting: Setting) {
    super(fs, fs.nextIno(), setting.permissions, source, setting.path.startsWith(NET));
    this.setting = setting;
  }

  /** Whether the caller's network namespace does not have it. */
  get isHidden(): boolean {
    return this.setting.isOfFirst === "hidden" && !this.source.netSettings.isFirst;
  }
  /** Whether other network namespaces than the first show it. */
  private get isForeign(): boolean {
    return this.setting.isOfFirst === "shown" && !this.source.netSettings.isFirst;
  }
  private storeOf({ net }: SysctlScope): SysctlStore {
    const { path, isOfFirst } = this.setting;
    return path.startsWith(NET) && isOfFirst === undefined ? net.store : this.source.sysctl;
  }

  override refresh(): number {
    const { permissions } = this.setting;
    this.mode = S_IFREG | (this.isForeign ? permissions & 0o444 : permissions);
    return 0;
  }
  override open(
    dentry: Dentry,
    flags: number,
    cred: Credentials,
    account: Account,
  ): OpenFile | number {
    this.refresh();
    return super.open(dentry, flags, cred, account);
  }
  protected override value(scope: SysctlScope): string {
    return this.storeOf(scope).get(this.setting.path);
  }
  protected override change(text: string, scope: SysctlScope): number {
    return this.storeOf(scope).set(this.setting.path, text);
  }
}
