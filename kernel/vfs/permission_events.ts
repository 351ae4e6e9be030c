/**
 * Permission events of fanotify(7): before a file is opened or read, each group with a mark for it
 * is asked, and the task waits for the answers. A call that waits runs again; its questions and
 * their answers are in `progress.asked`. open.ts and the read calls of kernel/syscalls/io call
 * this.
 *
 * DIFFERS: a caller that cannot wait (a program that is started from outside) does not ask; leases
 * are broken first.
 */

import { EPERM } from "../../ffi/abi/errno.ts";
import { FAN_ONDIR } from "../../ffi/abi/fanotify.ts";
import { BLOCK } from "../core/result.ts";
import { isDirectory, isRegular } from "./access.ts";
import { type Caller, canWait, type WaitingCaller } from "./caller.ts";
import type { Dentry, Path } from "./dentry.ts";
import { concernsOf, FileEvent, type Question } from "./marks.ts";
import type { OpenFile } from "./open_file.ts";

/**
 * The questions of a call so far, and the file that it has created already and may not create
 * twice.
 */
export class AskedQuestions {
  readonly questions: Question[] = [];
  created: Dentry | null = null;
}

/**
 * Asks for permission. `mask` is one FAN_*_PERM for the file at `path`: 0, -EPERM, BLOCK, or -errno
 * of an interrupted wait.
 */
export function askPermission(caller: Caller, path: Path, mask: number): number {
  const { mount, dentry } = path, { inode } = dentry;
  if (mount.vfs.askingGroups === 0 || inode === null || !canWait(caller)) return 0;
  const isDir = isDirectory(inode);
  if (!isDir && !isRegular(inode)) return 0;
  const dir = dentry.isRoot ? null : dentry.parent;
  const full = isDir ? mask | FAN_ONDIR : mask;
  const event = new FileEvent(full, mount, inode, dentry, dir, dentry.name);
  for (const { group, mask: wanted } of concernsOf(event)) {
    if ((wanted & mask) === 0) continue;
    const asked = caller.progress.asked ??= new AskedQuestions();
    let question = asked.questions.find((q) =>
      q.group === group && q.dentry === dentry && q.mask === mask
    );
    if (question === undefined) {
      const asks = group.ask(event, mask);
      if (asks === null) continue;
      asked.questions.push(question = asks);
    }
    const r = awaitAnswer(caller, question);
    if (r < 0) return r;
  }
  return 0;
}

/** Waits for an answer; only the answer or the end of the task ends the wait. */
function awaitAnswer(caller: WaitingCaller, question: Question): number {
  if (question.isAnswered) {
    caller.uninterruptible = false;
    return question.isDenied ? -EPERM : 0;
  }
  caller.uninterruptible = true;
  const r = caller.waitFor(question.answered, 0);
  if (r === BLOCK) return r;
  caller.uninterruptible = false;
  question.withdraw();
  return r;
}

/** Asks for permission to read an open file. HOT */
export function askReadPermission(caller: Caller, file: OpenFile, mask: number): number {
  if (file.path === null || file.isQuiet) return 0;
  return askPermission(caller, file.path, mask);
}

/**
 * Remembers the file that a call has created, in case the call has to wait before the file is open.
 */
export function rememberCreated(caller: Caller, dentry: Dentry): void {
  if (caller.fs.namespace.vfs.askingGroups > 0 && canWait(caller)) {
    (caller.progress.asked ??= new AskedQuestions()).created = dentry;
  }
}

/** The file that the call created before it waited, or null. */
export function createdBefore(caller: Caller): Dentry | null {
  return canWait(caller) && caller.progress.asked !== null ? caller.progress.asked.created : null;
}
