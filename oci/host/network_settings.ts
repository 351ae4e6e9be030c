/**
 * The `net.*` part of `linux.sysctl`: written to the host network namespace that the container's
 * sockets are in, where it takes effect. boot/rootfs/sysctl.ts has the values that the guest sees
 * in /proc/sys.
 */

import { AT_FDCWD, O_CLOEXEC, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { CLONE_NEWNET } from "../../ffi/abi/sched.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import type { SyscallError } from "../../ffi/sys/errors.ts";
import { PREV, SpawnScript } from "../../ffi/sys/spawn.ts";
import { runInChild } from "./child_script.ts";
import { shownShort } from "../shown_text.ts";
import { UserError } from "../user_error.ts";

/** A setting's name and value. */
type Setting = readonly [name: string, value: string];

export function isNetworkSetting(name: string): boolean {
  return /^net[./]/.test(name);
}

/**
 * @param namespace descriptor of the network namespace
 * @throws UserError naming the setting that the host does not take
 */
export function setHostSettings(namespace: number, settings: readonly Setting[]): void {
  const wanted = settings.filter(([name]) => isNetworkSetting(name));
  if (wanted.length === 0) return;
  for (const [name] of wanted) {
    if (!/^[\w/-]+$/.test(pathOf(name))) {
      throw new UserError(`${placeOf(name)} is no setting's name`);
    }
  }
  if (tryAll(namespace, wanted) === null) return;
  // The settings are tried one by one to find the one that failed.
  for (const [name, value] of wanted) {
    const cause = tryAll(namespace, [[name, value]]);
    if (cause === null) continue;
    const path = shownShort(pathOf(name));
    const message = `${placeOf(name)}: ${path} cannot be set to "${shownShort(value)}"`;
    throw new UserError(message, undefined, cause);
  }
}

function pathOf(name: string): string {
  return `/proc/sys/${name.replaceAll(".", "/")}`;
}

function placeOf(name: string): string {
  return `config.json: linux.sysctl["${shownShort(name)}"]`;
}

/**
 * Writes in a child, because a namespace belongs to a thread, and the threads of this process must
 * stay in theirs.
 *
 * @returns null, or the error
 */
function tryAll(namespace: number, settings: readonly Setting[]): SyscallError | null {
  const script = new SpawnScript();
  script.call(N.SYS_setns, namespace, CLONE_NEWNET);
  for (const [name, value] of settings) {
    script.call(N.SYS_openat, AT_FDCWD, pathOf(name), O_WRONLY | O_CLOEXEC, 0);
    const fd = PREV(script.length - 1), bytes = new TextEncoder().encode(value);
    script.call(N.SYS_write, fd, bytes, bytes.length);
  }
  script.call(N.SYS_exit_group, 0);
  return runInChild(script);
}
