/**
 * OOM scores of the processes of a sandbox (proc_pid_oom_score_adj(5)): the host's OOM killer takes
 * the highest first. Processes of a container have the score of config.json. Those that run guests
 * have a higher one, so that a program over its limit is killed, and not the kernel that serves all
 * of them.
 */

import { AT_FDCWD, O_CLOEXEC, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { SYS_close, SYS_exit_group, SYS_openat, SYS_write } from "../../ffi/abi/syscall_numbers.ts";
import { PREV, type SpawnArg, SpawnScript } from "../../ffi/sys/spawn.ts";
import { runInChild } from "./child_script.ts";

const FILE = "/proc/self/oom_score_adj";
const MOST = 1000;
/**
 * In thousandths of the limit: enough that a kernel that maps half of the memory is not killed
 * first.
 */
const GUEST_MORE = 500;

/**
 * Sets the score in a child. Lowering it needs CAP_SYS_RESOURCE.
 *
 * @param mayFail whether a failure is ignored
 */
export function oomScoreAdj(script: SpawnScript, value: number, mayFail: boolean): void {
  const text = String(value);
  const add = (nr: number, ...args: SpawnArg[]) =>
    mayFail ? script.callMayFail(nr, ...args) : script.call(nr, ...args);
  add(SYS_openat, AT_FDCWD, FILE, O_WRONLY | O_CLOEXEC, 0);
  const fd = PREV(script.length - 1);
  add(SYS_write, fd, text, text.length);
  add(SYS_close, fd);
}

/** Sets the score of processes that run the guest, started by this process: above its own. */
export function guestOomScoreAdj(script: SpawnScript): void {
  oomScoreAdj(script, Math.min(MOST, ownOomScoreAdj() + GUEST_MORE), true);
}

/**
 * The same for a process that another one has started.
 *
 * @param pid of the host
 * @param value the score of the container's own processes; absent: this process's
 */
export function setGuestOomScoreAdj(pid: number, value: number | undefined): void {
  const wanted = Math.min(MOST, (value ?? ownOomScoreAdj()) + GUEST_MORE);
  try {
    Deno.writeTextFileSync(`/proc/${pid}/oom_score_adj`, String(wanted));
  } catch {
    // A failure is ignored: lowering needs CAP_SYS_RESOURCE.
  }
}

/**
 * Checks before any process is started whether the host permits a child this value.
 *
 * @throws SyscallError
 */
export function checkOomScoreAdj(value: number): void {
  if (value >= ownOomScoreAdj()) return;
  const script = new SpawnScript();
  oomScoreAdj(script, value, false);
  const error = runInChild(script.call(SYS_exit_group, 0));
  if (error !== null) throw error;
}

/** The score that children inherit. */
export function ownOomScoreAdj(): number {
  try {
    return Number(Deno.readTextFileSync(FILE)) || 0;
  } catch {
    return 0;
  }
}
