/**
 * Runs the program that makes keys on demand, /sbin/request-key of the container, with the
 * credentials of the container's init (request_key(2); call_usermodehelper of Linux).
 *
 * DIFFERS: Linux runs the program outside of all containers.
 */

import { EAGAIN, ENOENT } from "../../ffi/abi/errno.ts";
import type { Key, KeyRequest } from "../keys/key.ts";
import { endConstruction, makerKeyrings } from "../keys/request_key.ts";
import { FdTable } from "../vfs/fd_table.ts";
import { FsContext } from "../vfs/fs_context.ts";
import { startProcess } from "./first_process.ts";
import { Limits } from "./limits.ts";
import { inheritSeccomp } from "../seccomp/task_seccomp.ts";
import type { Task } from "./task.ts";
import type { ExitListener } from "./thread_group.ts";

const PROGRAM = "/sbin/request-key";
const ENVIRONMENT: readonly string[] = ["HOME=/", "PATH=/sbin:/bin:/usr/sbin:/usr/bin"];
const UMASK = 0o022;

/** Starts the program for a request: 0, or -errno if it cannot start. */
export function startKeyHelper(t: Task, request: KeyRequest): number {
  const { container, job } = t.group, init = container?.init?.leader ?? null;
  // An idle init has all capabilities, because it does nothing with them.
  if (container === null || init === null || init.group.isIdle) return -ENOENT;
  if (job !== null && job.refusesTask(t.group)) return -EAGAIN;
  const maker = makerKeyrings(request);
  if (typeof maker === "number") return maker;
  const { keyrings, authority } = maker, end = new HelperEnd(t, request, authority);
  const root = container.mounts.rootPath();
  const { thread, process, session } = t.keyrings;
  const rings = [thread, process, session].map((ring) => String(ring?.serial ?? 0));
  const { fsuid, fsgid } = t.cred;
  const helper = startProcess(t.kernel, {
    path: PROGRAM,
    argv: [PROGRAM, "create", `${request.target.serial}`, `${fsuid}`, `${fsgid}`, ...rings],
    envp: ENVIRONMENT,
    cred: init.cred,
    account: container.accounts.all,
    files: new FdTable(container.accounts.all),
    fs: new FsContext(container.mounts, root, root, UMASK),
    limits: new Limits(init.group.limits),
    leadsSession: true,
    container,
    pids: container.pids,
    ns: container.ns.hold(),
    exitListener: end,
    job,
  });
  if (typeof helper === "number") {
    end.onProcessEnd();
    keyrings.release();
    return helper;
  }
  inheritSeccomp(helper, init);
  helper.keyrings.setSession(keyrings.session);
  keyrings.release();
  return 0;
}

/** Pins the keys of the request while the program runs; at its end the authority is revoked. */
export class HelperEnd implements ExitListener {
  private readonly requester: Task;
  private readonly target: Key;
  private readonly pinned: readonly Key[];
  private readonly authority: Key;

  constructor(requester: Task, { target, destination }: KeyRequest, authority: Key) {
    this.requester = requester;
    this.target = target;
    this.authority = authority;
    this.pinned = destination === null ? [target, authority] : [target, destination, authority];
    for (const key of this.pinned) key.pins++;
  }

  onProcessEnd(): void {
    const { store } = this.requester.keyrings;
    endConstruction(this.requester, this.target);
    store.revoke(this.authority);
    for (const key of this.pinned) store.unpin(key);
  }
}
