/**
 * The terminal that a sandbox starts with: a pseudoterminal. The kernel keeps the master for a
 * terminal of the host; the slave is the standard files and the controlling terminal of the first
 * process, and /dev/console.
 *
 * oci/boot/guest moves the bytes between the master and the host's terminal.
 */

import type { Account } from "./core/account.ts";
import { ENXIO } from "../ffi/abi/errno.ts";
import { AT_FDCWD, O_NOCTTY, O_RDWR } from "../ffi/abi/fcntl.ts";
import type { Credentials } from "./cred/credentials.ts";
import { MasterFile } from "./fs/devpts/master_file.ts";
import type { Terminals } from "./fs/devpts/openers.ts";
import { InitCaller } from "./init.ts";
import type { Task } from "./task/task.ts";
import type { MountNamespace } from "./vfs/mounts.ts";
import { openAt } from "./vfs/open.ts";
import type { OpenFile } from "./vfs/open_file.ts";

const PTMX = "/dev/pts/ptmx";

export class Console {
  /** The host's side uses its `type`, `fetch`, `resize` and `waitQueue`; `drop` hangs up. */
  readonly master: MasterFile;
  private readonly terminals: Terminals;

  private constructor(terminals: Terminals, master: MasterFile) {
    this.terminals = terminals;
    this.master = master;
  }

  /**
   * Opens a new terminal in the devpts at /dev/pts of a namespace, owned by `cred`, and the first
   * three files of its first process (their references go to the caller). `isMain`: the terminal is
   * /dev/console too. -errno; -ENXIO without a devpts.
   */
  static open(
    account: Account,
    terminals: Terminals,
    namespace: MountNamespace,
    cred: Credentials,
    isMain = true,
  ): { console: Console; files: OpenFile[] } | number {
    const caller = new InitCaller(account, namespace, cred, 0o022);
    const opened = openBoth(caller);
    caller.close();
    if (typeof opened === "number") return opened;
    const { master, slave } = opened;
    if (isMain) terminals.console = master.terminal;
    return { console: new Console(terminals, master), files: [slave, slave.hold(), slave.hold()] };
  }

  /** The console of a restored kernel, with the master of before. */
  static over(terminals: Terminals, master: MasterFile): Console {
    return new Console(terminals, master);
  }

  /** Makes the terminal the controlling terminal of the first process's session. */
  control(init: Task): void {
    const { terminal } = this.master, { pgrp } = init.group;
    terminal.session = pgrp.session;
    terminal.foreground = pgrp;
    pgrp.session.terminal = terminal;
  }

  /** Called when the host's terminal is gone: the foreground process group gets SIGHUP. */
  hangUp(): void {
    if (this.terminals.console === this.master.terminal) this.terminals.console = null;
    this.master.drop();
  }
}

function openBoth(caller: InitCaller): { master: MasterFile; slave: OpenFile } | number {
  const master = openAt(caller, AT_FDCWD, PTMX, O_RDWR | O_NOCTTY, 0);
  if (typeof master === "number") return master;
  if (!(master instanceof MasterFile)) {
    master.drop();
    return -ENXIO;
  }
  master.terminal.isLocked = false;
  const slave = master.openSlave(caller, O_RDWR | O_NOCTTY);
  if (typeof slave !== "number") return { master, slave };
  master.drop();
  return slave;
}
