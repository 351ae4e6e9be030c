/**
 * /proc/PID/net, to which /proc/net leads: the tables of the task's network namespace
 * (proc_pid_net(5)).
 */

import type { Account } from "../../core/account.ts";
import { EINVAL, ENOENT } from "../../../ffi/abi/errno.ts";
import { S_IFREG } from "../../../ffi/abi/stat.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { FIRST_OFFSET, GeneratedDir, type Listed } from "../../fs/generated/generated_dir.ts";
import type { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { RowFile } from "../../fs/generated/row_file.ts";
import type { TextSteps } from "../../fs/generated/stepped_text.ts";
import { type Polling, TextInode } from "../../fs/generated/text_inode.ts";
import type { NetTables } from "./net_tables.ts";
import { AREA_NET, type TaskRef } from "./task_ref.ts";

export class NetDir extends GeneratedDir {
  private readonly ref: TaskRef;
  private readonly parent: GeneratedDir;

  constructor(fs: GeneratedFs, ref: TaskRef, parent: GeneratedDir, ino: number) {
    super(fs, ino, 0o555);
    this.ref = ref;
    this.parent = parent;
    ref.own(this);
  }

  override refresh(): number {
    this.ref.own(this);
    return 0;
  }

  override get parentIno(): number {
    return this.parent.ino;
  }
  override get dentriesAreStable(): boolean {
    return false;
  }

  /** The tables of the task's network; null: zombies have none. */
  private get tables(): NetTables | null {
    const task = this.ref.get();
    return task === null || task.fs === null ? null : task.net ?? this.ref.source.net;
  }

  override lookup(name: string): Inode | number {
    const { tables } = this;
    if (tables === null) return -EINVAL;
    const index = tables.names().indexOf(name);
    if (index < 0) return -ENOENT;
    return new NetText(this.generated, this.ref.ino(AREA_NET, index), tables, name);
  }

  override relookup(name: string, cached: Inode | null): Inode | number {
    const { tables } = this;
    if (tables === null) return -EINVAL;
    // The task may have changed its network namespace.
    return cached instanceof NetText && cached.tables === tables ? cached : this.lookup(name);
  }

  override list(): readonly Listed[] | number {
    const { tables } = this;
    if (tables === null) return -EINVAL;
    return tables.names().map((name, i) => ({
      name,
      ino: this.ref.ino(AREA_NET, i),
      type: S_IFREG >> 12,
      offset: FIRST_OFFSET + i,
    }));
  }
}

export class NetText extends TextInode {
  readonly tables: NetTables;
  readonly name: string;

  constructor(fs: GeneratedFs, ino: number, tables: NetTables, name: string) {
    super(fs, ino, 0o444);
    this.tables = tables;
    this.name = name;
  }

  override get polling(): Polling {
    return "ready";
  }
  /** Only an open file has a text: it keeps a table that is made over several turns. */
  override render(): string {
    return "";
  }
  override open(_dentry: Dentry, flags: number, _cred: Credentials, account: Account): OpenFile {
    return new NetTextFile(account, this, flags);
  }
}

export class NetTextFile extends RowFile {
  private readonly tables: NetTables;
  private readonly name: string;

  constructor(account: Account, inode: NetText, flags: number) {
    super(account, inode, flags);
    this.tables = inode.tables;
    this.name = inode.name;
  }

  protected override begin(): string | TextSteps {
    return this.tables.text(this.name);
  }
}
