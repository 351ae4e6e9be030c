/**
 * /proc/PID/uid_map, gid_map, projid_map and setgroups (user_namespaces(7)). An open file refers to
 * the user namespace of the process at open(2), and writes are checked with the opener's
 * credentials.
 *
 * Rules: cred/id_map.ts.
 */

import type { Account } from "../../core/account.ts";
import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import { EACCES, EINVAL, EPERM } from "../../../ffi/abi/errno.ts";
import { O_ACCMODE, O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import { type Credentials, hasCapIn } from "../../cred/credentials.ts";
import { type MapKind, mapText, writeMap, writeSetgroups } from "../../cred/id_map.ts";
import type { UserNamespace } from "../../cred/user_namespace.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { TextFile } from "../../fs/generated/text_inode.ts";
import type { ProcSource } from "./source.ts";
import { OwnedText } from "./task_text.ts";

const MAPS: ReadonlyMap<string, MapKind> = new Map<string, MapKind>([
  ["uid_map", "uid"],
  ["gid_map", "gid"],
  ["projid_map", "projid"],
]);

/** Whether `name` is one of these files. */
export function isIdMapFile(name: string): boolean {
  return name === "setgroups" || MAPS.has(name);
}

/** `name` is one of the names that `isIdMapFile` accepts. */
export class IdMapText extends OwnedText {
  override open(
    _dentry: Dentry,
    flags: number,
    cred: Credentials,
    account: Account,
  ): OpenFile | number {
    const ns = this.ref.get()?.cred.userNs;
    if (ns === undefined) return -EINVAL;
    const kind = MAPS.get(this.name);
    if (kind !== undefined) return new IdMapFile(account, this, flags, ns, kind, this.ref.source);
    const writes = (flags & O_ACCMODE) !== O_RDONLY;
    if (writes && !hasCapIn(cred, ns, CAP_SYS_ADMIN)) return -EACCES;
    return new SetgroupsFile(account, this, flags, ns);
  }

  /** Only an open file has a text. */
  override render(): number {
    return -EPERM;
  }
}

abstract class NamespaceFile extends TextFile {
  protected readonly userNs: UserNamespace;

  constructor(account: Account, inode: IdMapText, flags: number, userNs: UserNamespace) {
    super(account, inode, flags);
    this.userNs = userNs.hold();
  }

  protected override release(): void {
    super.release();
    this.userNs.drop();
  }
}

export class IdMapFile extends NamespaceFile {
  private readonly kind: MapKind;
  private readonly source: ProcSource;

  constructor(
    account: Account,
    inode: IdMapText,
    flags: number,
    userNs: UserNamespace,
    kind: MapKind,
    source: ProcSource,
  ) {
    super(account, inode, flags, userNs);
    this.kind = kind;
    this.source = source;
  }

  protected override render(): string {
    return mapText(this.userNs, this.kind, this.cred?.userNs ?? this.userNs);
  }

  protected override store(text: string, offset: number): number {
    const { cred: opener } = this, writer = this.source.currentCred();
    if (opener === null || writer === null) return -EPERM;
    return writeMap(this.userNs, this.kind, { opener, writer }, text, offset);
  }
}

export class SetgroupsFile extends NamespaceFile {
  protected override render(): string {
    return this.userNs.allowsSetgroups ? "allow\n" : "deny\n";
  }

  protected override store(text: string, offset: number): number {
    return writeSetgroups(this.userNs, text, offset);
  }
}
