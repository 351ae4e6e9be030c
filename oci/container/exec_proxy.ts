/** Starts another process in a container, with a proxy on the host (launch/proxy_process.ts). */

import { O_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import { close, pipe } from "../../ffi/sys/files.ts";
import type { Spawned } from "../../ffi/sys/spawn.ts";
import { ContainerCgroup } from "../launch/cgroup/container_cgroup.ts";
import { CgroupError } from "../launch/cgroup/control_files.ts";
import { endProxy, startProxy } from "../launch/proxy_process.ts";
import { packetPair } from "../protocol/launcher_channel.ts";
import { UserError } from "../user_error.ts";
import { execError, type ExecPlan, refuseUnlessRunning, requestExec } from "./exec_request.ts";
import { processNamespaces } from "./host_namespaces.ts";
import { checkPair } from "./container_creation.ts";
import { type PidChoice, releaseProxy, reportPid } from "./pid_file.ts";

/**
 * @returns the process's proxy, a child of this process
 * @throws UserError
 */
export function execWithProxy(plan: ExecPlan, pidChoice: PidChoice): Spawned {
  try {
    return start(plan, pidChoice);
  } catch (error) {
    throw execError(plan, error, !(error instanceof UserError) || error instanceof CgroupError);
  }
}

function start(plan: ExecPlan, pidChoice: PidChoice): Spawned {
  const { container, process, streams } = plan, { cgroup, init } = container.record;
  const group = cgroup === null ? null : ContainerCgroup.load(cgroup);
  refuseUnlessRunning(plan);
  const leash = checkPair(pipe(O_CLOEXEC), "pipe2");
  const [ours, waiter] = packetPair();
  const namespaces = processNamespaces(init.pid);
  const proxy = startProxy({
    argv: process.args,
    control: ours,
    leash: leash[0],
    terminal: streams.proxyTerminal,
    newNamespaces: 0,
    entered: namespaces.entered,
    newNetwork: -1,
    timeOffsets: null,
    hostname: null,
  });
  namespaces.close();
  close(ours);
  close(leash[0]);
  try {
    group?.addProcess(proxy.pid);
    requestExec(plan, { hostPid: proxy.pid, socket: waiter, isOutlived: false })();
    streams.handOver();
    reportPid(pidChoice, proxy);
  } catch (error) {
    endProxy(proxy);
    throw error;
  }
  releaseProxy(leash[1]);
  return proxy;
}
