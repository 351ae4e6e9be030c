/** The descriptor of SECCOMP_FILTER_FLAG_NEW_LISTENER: seccomp_unotify(2). */

import { POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../ffi/abi/poll.ts";
import { O_RDWR } from "../../ffi/abi/fcntl.ts";
import type { Account } from "../core/account.ts";
import type { WaitQueue } from "../core/wait.ts";
import { AnonFile, type AnonFiles } from "../fs/anonfd/anon_inode.ts";
import type { SeccompFilter } from "./filter.ts";
import { type Notifier, NOTIFY_INIT, NOTIFY_SENT } from "./notifier.ts";

export class SeccompListener extends AnonFile {
  readonly filter: SeccompFilter;
  readonly notifier: Notifier;

  constructor(account: Account, anon: AnonFiles, filter: SeccompFilter, notifier: Notifier) {
    super(account, anon, O_RDWR);
    this.filter = filter;
    this.notifier = notifier;
  }

  override poll(): number {
    let bits = 0;
    if (this.notifier.firstIn(NOTIFY_INIT) !== null) bits |= POLLIN | POLLRDNORM;
    if (this.notifier.firstIn(NOTIFY_SENT) !== null) bits |= POLLOUT | POLLWRNORM;
    return this.filter.users === 0 ? bits | POLLHUP : bits;
  }

  override get waitQueue(): WaitQueue {
    return this.filter.events;
  }

  override describe(): string {
    return "anon_inode:seccomp notify";
  }

  protected override release(): void {
    this.notifier.close();
  }
}
