/**
 * The caller of a file request: a user in the container's namespaces, without a process. A long
 * walk of a path goes on in the next step of the request.
 *
 * DIFFERS: the permission events of fanotify(7) are not asked, so that a guest cannot hold a
 * request up; a lease in the way is broken, and the request fails with EAGAIN.
 */

import { BLOCK } from "../../../../kernel/core/result.ts";
import type { Credentials } from "../../../../kernel/cred/credentials.ts";
import { ContainerCaller } from "../../../../kernel/init.ts";
import type { Container } from "../../../../kernel/task/container.ts";
import { Progress } from "../../../../kernel/task/progress.ts";
import type { YieldingCaller } from "../../../../kernel/vfs/caller.ts";

/** The bits that files and directories do not get unless a request names their mode. */
const UMASK = 0o022;

export class RequestCaller extends ContainerCaller implements YieldingCaller {
  readonly progress: Progress = new Progress();
  uninterruptible: boolean = false;

  constructor(container: Container, cred: Credentials) {
    super(container, cred, UMASK);
  }

  /** The request makes the same call again in its next step. */
  yieldTurn(): number {
    return BLOCK;
  }

  /** The request is over. */
  override close(): void {
    this.progress.reset();
    super.close();
  }
}
