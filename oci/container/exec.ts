/** Starts another process in a container, with a proxy on the host (launch/proxy_process.ts). */

import { O_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import { close, pipe } from "../../ffi/sys/files.ts";
import type { Spawned } from "../../ffi/sys/spawn.ts";
import { ContainerCgroup } from "../launch/cgroup/container_cgroup.ts";
import { CgroupError } from "../launch/cgroup/control_files.ts";
import { endProxy, startProxy } from "../launch/proxy_process.ts";
import type { ProcessSpec } from "../protocol/boot_spec.ts";
import { packetPair } from "../protocol/launcher_channel.ts";
import { isAlive } from "../state/liveness.ts";
import { UserError } from "../user_error.ts";
import type { FoundContainer } from "./found_container.ts";
import { processNamespaces } from "./host_namespaces.ts";
import { checkPair } from "./container_creation.ts";
import { type PidChoice, releaseProxy, reportPid } from "./pid_file.ts";
import type { Streams } from "./standard_streams.ts";

interface ExecOptions {
  readonly container: FoundContainer;
  readonly process: ProcessSpec;
  readonly streams: Streams;
  readonly pidChoice: PidChoice;
  readonly ignorePaused: boolean;
}

/**
 * @returns the process's proxy, a child of this process
 * @throws UserError
 */
export function execIn(options: ExecOptions): Spawned {
  try {
    return start(options);
  } catch (error) {
    const isOfHost = !(error instanceof UserError) || error instanceof CgroupError;
    if (!isOfHost || isAlive(options.container.record.init)) throw error;
    throw new UserError("container not running: it has ended meanwhile", undefined, error);
  }
}

function start(options: ExecOptions): Spawned {
  const { container, process, streams, pidChoice, ignorePaused } = options;
  refuseUnlessRunning(container, ignorePaused);
  const leash = checkPair(pipe(O_CLOEXEC), "pipe2");
  const [ours, waiter] = packetPair();
  const namespaces = processNamespaces(container.record.init.pid);
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
    startInSandbox(options, proxy, waiter);
    reportPid(pidChoice, proxy);
  } catch (error) {
    endProxy(proxy);
    throw error;
  }
  releaseProxy(leash[1]);
  return proxy;
}

/**
 * Starts the process in the container.
 * @param waiter the sandbox's end of the socket to the proxy
 */
function startInSandbox(options: ExecOptions, proxy: Spawned, waiter: number): void {
  const { container, process, streams, ignorePaused } = options;
  const { cgroup, id } = container.record;
  if (cgroup !== null) ContainerCgroup.load(cgroup).addProcess(proxy.pid);
  const stdio = streams.takeStdio();
  try {
    const hostPid = proxy.pid;
    const [stdin, stdout, stderr, ...further] = stdio;
    const fds = [stdin, stdout, stderr, waiter, ...further];
    container.ask({ op: "exec", id, process, hostPid, ignorePaused }, fds);
  } finally {
    for (const fd of [...stdio, waiter]) if (fd > 2) close(fd);
  }
  streams.handOver();
}

function refuseUnlessRunning({ status, report }: FoundContainer, ignorePaused: boolean): void {
  if (status === "paused" && !ignorePaused) {
    throw new UserError("cannot exec in a paused container (use --ignore-paused to override)");
  }
  if (status === "stopped" || status === "creating") {
    const why = report === null ? "" : `: its kernel has failed: see ${report}`;
    throw new UserError(`cannot exec in a stopped container: container not running${why}`);
  }
}
