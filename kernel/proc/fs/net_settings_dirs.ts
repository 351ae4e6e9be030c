/** Directories of /proc/sys/net, whose content depends on the caller's network namespace. */

import { EINVAL, ENOENT } from "../../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFREG } from "../../../ffi/abi/stat.ts";
import type { Inode } from "../../vfs/inode.ts";
import {
  FIRST_OFFSET,
  FixedDir,
  GeneratedDir,
  type Listed,
} from "../../fs/generated/generated_dir.ts";
import type { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { LINK_FIELDS, type LinkFamily } from "./link_fields.ts";
import type { ProcSource } from "./source.ts";
import { StoredInode, SysctlInode, type SysctlScope } from "./sysctl_inode.ts";
import { numbersOf } from "./sysctl_store.ts";

/** Inode numbers behind those of tasks: 2^8 for a link, 2^40 for a family. */
const PER_LINK = 2 ** 8, PER_FAMILY = 2 ** 40, FIRST_INO = 2 ** 50;
const ALL = 0, DEFAULT = 1, LINKS = 2;

/** A directory with settings that only the first network namespace has. */
export class NetSettingsDir extends FixedDir {
  override get dentriesAreStable(): boolean {
    return false;
  }
  override lookup(name: string): Inode | number {
    const found = super.lookup(name);
    return found instanceof StoredInode && found.isHidden ? -ENOENT : found;
  }
  override list(): readonly Listed[] {
    return super.list().filter(({ name }) => typeof this.lookup(name) !== "number");
  }
}

/** net/ipv4/conf and net/ipv6/conf: a directory for each link, for all links, and for new ones. */
export class LinksDir extends GeneratedDir {
  readonly source: ProcSource;
  readonly family: LinkFamily;
  private readonly parent: GeneratedDir;

  constructor(fs: GeneratedFs, parent: GeneratedDir, source: ProcSource, family: LinkFamily) {
    super(fs, fs.nextIno(), 0o555);
    this.source = source;
    this.family = family;
    this.parent = parent;
  }

  override get parentIno(): number {
    return this.parent.ino;
  }
  override get dentriesAreStable(): boolean {
    return false;
  }
  protected override get isModeFixed(): boolean {
    return true;
  }
  protected override get isOwnerFixed(): boolean {
    return true;
  }

  /** Names by position. */
  private entries(): Map<number, string> {
    const entries = new Map([[ALL, "all"], [DEFAULT, "default"]]);
    for (const [index, name] of this.source.netSettings.links()) entries.set(LINKS + index, name);
    return entries;
  }
  private inoOf(place: number): number {
    return FIRST_INO + (this.family === "ipv4" ? 0 : PER_FAMILY) + place * PER_LINK;
  }

  override refresh(): number {
    this.nlink = 2 + this.entries().size;
    return 0;
  }
  override lookup(name: string): Inode | number {
    for (const [place, one] of this.entries()) {
      if (one === name) return new LinkDir(this.generated, this, this.inoOf(place), name);
    }
    return -ENOENT;
  }
  override relookup(name: string, cached: Inode | null): Inode | number {
    const found = this.lookup(name);
    return typeof found !== "number" && cached?.ino === found.ino ? cached : found;
  }
  override list(): readonly Listed[] {
    const listed = [...this.entries()].map(([place, name]) => ({
      name,
      ino: this.inoOf(place),
      type: S_IFDIR >> 12,
      offset: FIRST_OFFSET + place,
    }));
    return listed.sort((a, b) => a.offset - b.offset);
  }
}

export class LinkDir extends GeneratedDir {
  private readonly parent: LinksDir;
  private readonly where: string;

  constructor(fs: GeneratedFs, parent: LinksDir, ino: number, where: string) {
    super(fs, ino, 0o555);
    this.parent = parent;
    this.where = where;
  }

  override get parentIno(): number {
    return this.parent.ino;
  }
  protected override get isModeFixed(): boolean {
    return true;
  }
  protected override get isOwnerFixed(): boolean {
    return true;
  }

  override lookup(name: string): Inode | number {
    const { family, source } = this.parent, fields = LINK_FIELDS[family];
    const place = [...fields.keys()].indexOf(name);
    if (place < 0) return -ENOENT;
    const ino = this.ino + 1 + place, { permissions } = fields.get(name)!;
    return new LinkInode(this.generated, ino, permissions, source, family, this.where, name);
  }
  override list(): readonly Listed[] {
    return [...LINK_FIELDS[this.parent.family].keys()].map((name, i) => ({
      name,
      ino: this.ino + 1 + i,
      type: S_IFREG >> 12,
      offset: FIRST_OFFSET + i,
    }));
  }
}

export class LinkInode extends SysctlInode {
  private readonly family: LinkFamily;
  private readonly where: string;
  private readonly name: string;

  constructor(
    fs: GeneratedFs,
    ino: number,
    permissions: number,
    source: ProcSource,
    family: LinkFamily,
    where: string,
    name: string,
  ) {
    super(fs, ino, permissions, source, true);
    this.family = family;
    this.where = where;
    this.name = name;
  }

  protected override value({ net }: SysctlScope): string | number {
    const value = net.read(this.family, this.where, this.name);
    return value === null ? -ENOENT : String(value);
  }
  protected override change(text: string, { net }: SysctlScope): number {
    const value = numbersOf(text, 1)?.[0];
    if (value === undefined) return -EINVAL;
    return net.write(this.family, this.where, this.name, value);
  }
}
