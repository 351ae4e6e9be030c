/**
 * A devpts file system (pts(4)) with the tree of its terminals. Each mount is a separate instance,
 * as in Linux since 4.7.
 *
 * Neighbours: inodes.ts (the inodes of the tree), openers.ts (opening them), terminal.ts.
 */

import { EINVAL, ENOSPC } from "../../../ffi/abi/errno.ts";
import { DEVPTS_SUPER_MAGIC } from "../../../ffi/abi/statfs.ts";
import type { Host } from "../../core/host.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { NO_ID } from "../../cred/user_namespace.ts";
import type { Caller } from "../../vfs/caller.ts";
import { FileSystem, type Inode, type StatFs } from "../../vfs/inode.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import { FsType } from "../fs_types.ts";
import type { TerminalHooks } from "./hooks.ts";
import { DevptsRoot, PtmxInode, SlaveInode } from "./inodes.ts";
import { PtmxOpener, SlaveOpener } from "./openers.ts";
import { type DevptsOptions, parseDevptsOptions, showDevptsOptions } from "./options.ts";
import { Terminal, type TerminalHome } from "./terminal.ts";

export class DevptsFs extends FileSystem implements TerminalHome {
  override readonly hasOwnDevices = true;
  override readonly type = "devpts";
  override readonly root: DevptsRoot;
  readonly host: Host;
  private readonly hooks: TerminalHooks;
  private options: DevptsOptions;
  private readonly ptmx: PtmxInode;
  private readonly slaveOpener: SlaveOpener;
  /** The slaves by index; null: removed from the tree, but an open slave keeps the number. */
  private readonly slaves: (SlaveInode | null | undefined)[] = [];

  constructor(vfs: Vfs, hooks: TerminalHooks, options: DevptsOptions) {
    super(vfs.devices);
    this.host = vfs.host;
    this.hooks = hooks;
    this.options = options;
    this.source = "devpts";
    this.root = new DevptsRoot(this);
    this.ptmx = new PtmxInode(this, options.ptmxMode, new PtmxOpener());
    this.slaveOpener = new SlaveOpener(vfs.host);
  }

  /**
   * Makes a terminal, which is in the tree and locked; `cred` is about to open its master. -ENOSPC.
   */
  allocate(cred: Credentials): SlaveInode | number {
    let index = 0;
    while (this.slaves[index] !== undefined) index++;
    if (index >= this.options.max) return -ENOSPC;
    const terminal = new Terminal(index, this.hooks, this);
    const slave = new SlaveInode(this, this.options.mode, terminal, this.slaveOpener);
    slave.uid = this.options.uid >= 0 ? this.options.uid : cred.fsuid;
    slave.gid = this.options.gid >= 0 ? this.options.gid : cred.fsgid;
    this.slaves[index] = slave;
    return slave;
  }

  /** The master is closed: removes the name, and frees the number unless slaves are open. */
  onMasterClosed(terminal: Terminal): void {
    const slave = this.slaves[terminal.index];
    if (slave !== null && slave !== undefined) slave.nlink = 0;
    this.slaves[terminal.index] = terminal.slaves > 0 ? null : undefined;
    const dentry = this.rootDentry?.children?.get(`${terminal.index}`);
    if (dentry !== undefined && dentry.inode === slave) dentry.isUnlinked = true;
  }
  onUnused(terminal: Terminal): void {
    this.slaves[terminal.index] = undefined;
  }

  find(name: string): Inode | null {
    if (name === "ptmx") return this.ptmx;
    return /^(0|[1-9][0-9]{0,6})$/.test(name) ? this.slaves[Number(name)] ?? null : null;
  }

  /** The indexes of the terminals in the tree, ascending. */
  indexes(): number[] {
    const found: number[] = [];
    for (const [i, slave] of this.slaves.entries()) {
      if (slave !== undefined && slave !== null) found.push(i);
    }
    return found;
  }

  override superOptions(): string {
    return showDevptsOptions(this.options);
  }
  override remount(text: string): number {
    const options = parseDevptsOptions(text);
    if (typeof options === "number") return options;
    this.options = options;
    this.ptmx.mode = (this.ptmx.mode & ~0o777) | options.ptmxMode;
    return 0;
  }
  override statfs(out: StatFs): number {
    out.type = DEVPTS_SUPER_MAGIC;
    out.fsid = this.dev;
    return 0;
  }
}

export class DevptsType extends FsType {
  override readonly name = "devpts";
  override readonly isForUsers = true;
  private readonly vfs: Vfs;
  private readonly hooks: TerminalHooks;

  constructor(vfs: Vfs, hooks: TerminalHooks) {
    super();
    this.vfs = vfs;
    this.hooks = hooks;
  }

  override create(caller: Caller, _source: string, text: string): FileSystem | number {
    const options = parseDevptsOptions(text), { userNs } = caller.cred;
    if (typeof options === "number") return options;
    if (options.uid >= 0) options.uid = userNs.kernelUid(options.uid);
    if (options.gid >= 0) options.gid = userNs.kernelGid(options.gid);
    if (options.uid === NO_ID || options.gid === NO_ID) return -EINVAL;
    return new DevptsFs(this.vfs, this.hooks, options);
  }
}
