/**
 * `dvisor exec` with a proxy: detached, with a terminal for a socket, or with a pid for the caller.
 * It is a part of the binary of its own, because only it needs control groups and new processes.
 */

import { execWithProxy } from "../../container/exec_proxy.ts";
import type { ExecPlan } from "../../container/exec_request.ts";
import { findContainer } from "../../container/found_container.ts";
import { type PidChoice, pidChoice } from "../../container/pid_file.ts";
import { Foreground } from "../../container/proxy_wait.ts";
import { chooseStreams } from "../../container/standard_streams.ts";
import { ContainerCgroup } from "../../launch/cgroup/container_cgroup.ts";
import { warmUpWith } from "../../launch/cgroup/warm_up.ts";
import { warnOf } from "../../options/client_log.ts";
import type { Globals } from "../../options/globals.ts";
import { main as runCommandLine } from "../command_line.ts";
import { preservedFds } from "../preserved_fds.ts";
import { defineExec, type ExecCall, planOf } from "./exec.ts";

/** Runs the command line, which ends the process. */
export async function main(args: readonly string[]): Promise<never> {
  Deno.exit(await runCommandLine(args, { exec: defineExec(withProxy) }));
}

function withProxy(call: ExecCall): number {
  const { flags, globals, id } = call, container = findContainer(globals.store, id);
  const { cgroup, init } = container.record;
  if (cgroup !== null) warmUpWith(ContainerCgroup.load(cgroup), init.pid);
  const isForeground = !flags.options.detach, preserved = preservedFds(flags);
  const consoleSocket = flags.options["console-socket"] || null;
  const plan = planOf(call, container, (wantsTerminal, consoleSize) => {
    return chooseStreams({ wantsTerminal, consoleSocket, consoleSize, isForeground, preserved });
  });
  if (isForeground) {
    const foreground = new Foreground(plan.streams.isTerminal && consoleSocket === null);
    return waitForProxy(foreground, plan, pidChoice(flags), globals);
  }
  execWithProxy(plan, pidChoice(flags));
  return 0;
}

function waitForProxy(
  foreground: Foreground,
  plan: ExecPlan,
  pids: PidChoice,
  globals: Globals,
): number {
  try {
    const code = foreground.wait(execWithProxy(plan, pids)), { report, record } = plan.container;
    if (report !== null) warnOf([`the kernel of ${record.id} has failed: see ${report}`], globals);
    return code;
  } finally {
    foreground.restore();
  }
}
