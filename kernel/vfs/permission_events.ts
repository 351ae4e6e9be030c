/**
 * Permission events of fanotify(7): before a file is opened or read, whoever marked it so is asked, and the task waits
 * for the answers. A call that waits runs again; what it was told is in `progress.asked`.
 *
 * DIFFERS: who cannot wait (a program started from outside) is not asked; leases are broken first.
 */

import { EPERM } from "../../ffi/abi/errno.ts";
import { FAN_ONDIR } from "../../ffi/abi/fanotify.ts";
import { BLOCK } from "../core/result.ts";
import { isDirectory, isRegular } from "./access.ts";
import { type Caller, canWait, type WaitingCaller } from "./caller.ts";
import type { Dentry, Path } from "./dentry.ts";
import { concernsOf, FileEvent, type Question } from "./marks.ts";
import type { OpenFile } from "./open_file.ts";

/** What a call asked so far, and the file that it has created already (and may not create twice). */
export class Asked {
  readonly questions: Question[] = [];
  created: Dentry | null = null;
}

/** `mask`, one FAN_*_PERM, for the file at `path`: 0, -EPERM, BLOCK, or -errno of an interrupted wait. */
export function askToGoOn(caller: Caller, path: Path, mask: number): number {
  const { mount, dentry } = path, { inode } = dentry;
  if (mount.vfs.askingGroups === 0 || inode === null || !canWait(caller)) return 0;
  const isDir = isDirectory(inode);
  if (!isDir && !isRegular(inode)) return 0;
  const dir = dentry.isRoot ? null : dentry.parent;
  const full = isDir ? mask | FAN_ONDIR : mask;
  const event = new FileEvent(full, mount, inode, dentry, dir, dentry.name);
  for (const { group, mask: wanted } of concernsOf(event)) {
    if ((wanted & mask) === 0) continue;
    const asked = caller.progress.asked ??= new Asked();
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

/** Only the end of the task ends the wait. */
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

/** The same for an open file that is going to be read. HOT */
export function askBeforeAccess(caller: Caller, file: OpenFile, mask: number): number {
  if (file.path === null || file.isQuiet) return 0;
  return askToGoOn(caller, file.path, mask);
}

/** Something was created for a call that may have to wait before it is opened. */
export function rememberCreated(caller: Caller, dentry: Dentry): void {
  if (caller.fs.namespace.vfs.askingGroups > 0 && canWait(caller)) {
    (caller.progress.asked ??= new Asked()).created = dentry;
  }
}

/** What the call created before it waited. */
export function createdBefore(caller: Caller): Dentry | null {
  return canWait(caller) && caller.progress.asked !== null ? caller.progress.asked.created : null;
}
