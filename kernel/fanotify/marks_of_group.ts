/**
 * The marks of one group of fanotify(7) on files, mounts and file systems: adds, changes, removes
 * and shows them.
 */

import type { Account } from "../core/account.ts";
import { EEXIST, ENOENT, ENOSPC } from "../../ffi/abi/errno.ts";
import {
  FAN_MARK_EVICTABLE,
  FAN_MARK_IGNORE,
  FAN_MARK_IGNORED_MASK,
  FAN_MARK_IGNORED_SURV_MODIFY,
} from "../../ffi/abi/fanotify.ts";
import { INODE_WATCHES } from "../core/quota.ts";
import { Mark, type MarkGroup, type MarkTarget } from "../vfs/marks.ts";
import { attachMark, detachMark } from "../vfs/watch_list.ts";

const IGNORES = FAN_MARK_IGNORE | FAN_MARK_IGNORED_MASK;

export class GroupMarks {
  /** The account that marks are charged to. */
  readonly account: Account;
  private readonly group: MarkGroup;
  private readonly marks: Map<object, Mark> = new Map();

  constructor(group: MarkGroup, account: Account) {
    this.account = account;
    this.group = group;
  }

  /** FAN_MARK_ADD: 0, -EEXIST, -ENOSPC. `flags` of fanotify_mark(2). */
  add(target: MarkTarget, mask: number, flags: number): number {
    const old = this.marks.get(objectOf(target));
    if (old === undefined && !INODE_WATCHES.hasRoom(1, this.account)) return -ENOSPC;
    const mark = old ?? new Mark(this.group, target);
    if (old === undefined) mark.isEvictable = (flags & FAN_MARK_EVICTABLE) !== 0;
    else if (!mayUpdate(old, flags)) return -EEXIST;
    if ((flags & IGNORES) === 0) mark.mask |= mask;
    else {
      mark.ignored |= mask;
      if ((flags & FAN_MARK_IGNORE) !== 0) mark.hasIgnoreFlags = true;
      if ((flags & FAN_MARK_IGNORED_SURV_MODIFY) !== 0) mark.survivesModify = true;
    }
    if (old === undefined) this.attach(mark);
    return 0;
  }

  /** FAN_MARK_REMOVE: 0 or -ENOENT. `kept` are bits that do not keep a mark alive. */
  remove(target: MarkTarget, mask: number, flags: number, kept: number): number {
    const mark = this.marks.get(objectOf(target));
    if (mark === undefined) return -ENOENT;
    if ((flags & IGNORES) === 0) mark.mask &= ~mask;
    else mark.ignored &= ~mask;
    if (((mark.mask | mark.ignored) & ~kept) === 0) this.detach(mark);
    return 0;
  }

  /** FAN_MARK_FLUSH: removes the marks of one kind; null: all. */
  flush(kind: MarkTarget["kind"] | null): void {
    for (const mark of [...this.marks.values()]) {
      if (kind === null || mark.target.kind === kind) this.detach(mark);
    }
  }

  detach(mark: Mark): void {
    if (!this.marks.delete(objectOf(mark.target))) return;
    INODE_WATCHES.give(1, this.account);
    if (mark.target.kind === "inode") {
      detachMark(mark.target.inode, mark);
      return;
    }
    const list = listOf(mark.target);
    list.splice(list.indexOf(mark), 1);
  }

  private attach(mark: Mark): void {
    this.marks.set(objectOf(mark.target), mark);
    INODE_WATCHES.add(1, this.account);
    if (mark.target.kind === "inode") {
      attachMark(mark.target.inode, mark);
      return;
    }
    listOf(mark.target).push(mark);
  }

  /** Lines of fdinfo, the newest mark first. */
  text(): string {
    let text = "";
    for (const mark of [...this.marks.values()].reverse()) {
      const flags = (mark.survivesModify ? FAN_MARK_IGNORED_SURV_MODIFY : 0) |
        (mark.hasIgnoreFlags ? FAN_MARK_IGNORE : 0) | (mark.isEvictable ? FAN_MARK_EVICTABLE : 0);
      text += `fanotify ${placeOf(mark.target)} mflags:${flags.toString(16)} ` +
        `mask:${toHex(mark.mask)} ignored_mask:${toHex(mark.ignored)}` +
        (mark.target.kind === "inode" ? " \n" : "\n");
    }
    return text;
  }
}

/** fanotify_may_update_existing_mark. */
function mayUpdate(mark: Mark, flags: number): boolean {
  if ((flags & FAN_MARK_EVICTABLE) !== 0 && !mark.isEvictable) return false;
  if ((flags & FAN_MARK_IGNORED_MASK) !== 0 && mark.hasIgnoreFlags) return false;
  const survives = (flags & FAN_MARK_IGNORED_SURV_MODIFY) !== 0;
  if ((flags & FAN_MARK_IGNORE) !== 0 && !survives && mark.survivesModify) return false;
  if ((flags & FAN_MARK_EVICTABLE) === 0) mark.isEvictable = false;
  return true;
}

function objectOf(target: MarkTarget): object {
  if (target.kind === "inode") return target.inode;
  return target.kind === "mount" ? target.mount : target.fs;
}

function listOf(target: MarkTarget & { kind: "mount" | "fs" }): Mark[] {
  return target.kind === "mount" ? target.mount.marks : target.fs.marks;
}

function placeOf(target: MarkTarget): string {
  if (target.kind === "inode") {
    return `ino:${toHex(target.inode.ino)} sdev:${toHex(target.inode.dev)}`;
  }
  if (target.kind === "mount") return `mnt_id:${toHex(target.mount.id)}`;
  return `sdev:${toHex(target.fs.dev)}`;
}

function toHex(n: number): string {
  return (n < 0 ? n >>> 0 : n).toString(16);
}
