/**
 * Makes a container: its record, its cgroup, its processes on the host, and its first guest
 * process, loaded and not yet running, or the processes of a snapshot, which run at once. A failure
 * at any step removes all of it.
 *
 *     record "creating" -> proxy on a leash -> boot process and Gofer, or a place in a sandbox
 *       -> hooks -> loaded, confined -> record "created" -> pid file -> off the leash
 *
 * Until the last step all processes end with this one: the proxy with its leash, the boot process
 * with the proxy's socket, the Gofer with the boot process. Neighbours: destroy.ts, launch/.
 */

import { CAP_SYS_ADMIN } from "../../ffi/abi/capability.ts";
import { AT_FDCWD, O_APPEND, O_CLOEXEC, O_CREAT, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { CLONE_NEWNET, CLONE_NEWUSER } from "../../ffi/abi/sched.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, openat, pipe } from "../../ffi/sys/files.ts";
import type { Spawned } from "../../ffi/sys/spawn.ts";
import { ContainerCgroup } from "../launch/cgroup/container_cgroup.ts";
import type { CgroupOptions } from "../launch/cgroup/group_plan.ts";
import { warnOf, writeLog } from "../options/client_log.ts";
import { openDebugLog } from "../launch/foreground_sandbox.ts";
import { holdInterrupts, throwIfInterrupted } from "../launch/command_signals.ts";
import { endProxy, openNamespace, type Proxy, startProxy } from "../launch/proxy_process.ts";
import { startSandbox } from "../launch/sandbox_processes.ts";
import { setHostSettings } from "../host/network_settings.ts";
import { hasCapability } from "../host/privileges.ts";
import { packetPair } from "../protocol/launcher_channel.ts";
import { listenForControl } from "./control_client.ts";
import { isAlive, processId } from "../state/liveness.ts";
import { isInUserNamespace } from "../state/root_dir.ts";
import { type ContainerRecord, NO_PROCESS, RECORD_VERSION } from "../state/record.ts";
import type { ContainerDir } from "../state/store.ts";
import { OCI_VERSION } from "../version.ts";
import { UserError } from "../user_error.ts";
import { logPath } from "./crash_report.ts";
import { checkIdMaps, writeIdMaps } from "./id_maps.ts";
import {
  bootSpec,
  checkOomScore,
  checkPair,
  type ContainerCreation,
  type CreatedProcesses,
  type CreateOptions,
  hostSteps,
  mayEnterNetwork,
  openUsers,
  runCreateHooks,
} from "./container_creation.ts";
import { destroyContainer } from "./destroy.ts";
import {
  findSandbox,
  foreignNamespaces,
  namespaceInodes,
  openNamespaces,
} from "./host_namespaces.ts";
import { joinSandbox } from "./join_sandbox.ts";
import { openOwnNetwork } from "./own_network.ts";
import { makeOverlayDirectory } from "./root_overlay.ts";
import { timeOffsetsOf } from "./time_namespaces.ts";
import { releaseProxy, reportPid } from "./pid_file.ts";
import { showFiles } from "./proxy_files.ts";

/** Resources of the host that a sandbox uses in addition to its program. */
const OVERHEAD = { memoryBytes: 192 * 2 ** 20, pids: 64 };

export interface Created {
  readonly dir: ContainerDir;
  readonly record: ContainerRecord;
  /** A child of this process. */
  readonly proxy: Spawned;
}

/** @throws UserError */
export function createContainer(options: CreateOptions): Created {
  holdInterrupts();
  const { dir, lock } = options.store.create(options.id);
  try {
    return make(options, dir);
  } catch (error) {
    const { report } = destroyContainer(dir);
    if (report === null) throw error;
    throw new UserError(`the kernel of the sandbox has failed: see ${report}`, undefined, error);
  } finally {
    lock.release();
  }
}

function make(options: CreateOptions, dir: ContainerDir): Created {
  const { bundle } = options, { config } = bundle;
  checkIdMaps(config.linux);
  const blank = newRecord(options);
  const groups = cgroupOptions(options);
  if (!groups.isRootless) checkOomScore(config.process.oomScoreAdj);
  const cgroup = ContainerCgroup.plan(groups);
  // The record names the groups before they are made, so that a later command finds them if this
  // process is killed.
  dir.write({ ...blank, cgroup: cgroup.record });
  inConfig(() => cgroup.make(groups));
  const first = { ...blank, cgroup: cgroup.record };
  dir.write(first);
  const sandbox = findSandbox(config.annotations, config.linux.namespaces, () => {
    return options.store.list().filter((record) => record.id !== options.id);
  });
  if (sandbox !== null && options.restore !== undefined) throw cannotJoin(sandbox);
  warnOf(foreignNamespaces(config.linux.namespaces, sandbox), options.globals);
  const log = openLog(dir);
  const leash = checkPair(pipe(O_CLOEXEC), "pipe2");
  const [ours, waiter] = packetPair();
  const network = sandbox === null ? openOwnNetwork(options) : -1, hasSettings = network >= 0;
  const proxy = startContainerProxy(options, cgroup, { control: ours, leash: leash[0], network });
  for (const fd of [ours, leash[0], network]) if (fd >= 0) close(fd);
  const making: ContainerCreation = {
    ...options,
    record: first,
    dir,
    proxy,
    waiter,
    cgroup,
    log,
    hasSettings,
  };
  try {
    if (bundle.files.upper !== null) makeOverlayDirectory(bundle.files.upper, proxy.pid);
    const record = inConfig(() => complete(making, sandbox));
    reportPid(options.pidChoice, proxy);
    releaseProxy(leash[1]);
    writeLog(options.globals, "info", `created, pid ${proxy.pid}`, options.id);
    return { dir, record, proxy };
  } catch (error) {
    const hasEnded = !isAlive(processId(proxy.pid));
    endProxy(proxy);
    if (!hasEnded || error instanceof UserError) throw error;
    throw new UserError("the process that stands for the container has ended", undefined, error);
  }
}

function cannotJoin({ sandboxId }: ContainerRecord): UserError {
  return new UserError(
    `a container cannot be restored into a sandbox that is there already, that of ${sandboxId}`,
  );
}

/**
 * Calls `fn` and adds "config.json" to errors that begin with a path of that file.
 * @throws UserError
 */
function inConfig<T>(fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    if (!(error instanceof UserError) || !/^(linux|process)\./.test(error.message)) throw error;
    throw new UserError(`config.json: ${error.message}`, error.exitCode, error.cause);
  }
}

/** @param sandbox record of the container whose sandbox this one joins, or null */
function complete(making: ContainerCreation, sandbox: ContainerRecord | null): ContainerRecord {
  const { dir, proxy, log, streams } = making;
  const made = sandbox === null ? startOwnSandbox(making) : joinSandbox(making, sandbox);
  close(log);
  const refused = showFiles(making);
  if (refused !== null) {
    const text = `the host cannot be shown the container's files: ${refused}`;
    writeLog(making.globals, "warning", text, making.id);
  }
  const record: ContainerRecord = {
    ...making.record,
    ...made,
    status: making.restore === undefined ? "created" : "running",
    creator: NO_PROCESS,
    init: processId(proxy.pid),
    namespaces: namespaceInodes(proxy.pid),
  };
  throwIfInterrupted();
  streams.handOver();
  dir.write(record);
  return record;
}

function newRecord({ id, bundle, streams }: CreateOptions): ContainerRecord {
  return {
    version: RECORD_VERSION,
    id,
    ociVersion: OCI_VERSION,
    bundle: bundle.path,
    rootfs: bundle.rootPath,
    created: new Date().toISOString(),
    annotations: Object.fromEntries(bundle.config.annotations),
    owner: ownerName(),
    status: "creating",
    isChanging: false,
    creator: processId(Deno.pid),
    init: NO_PROCESS,
    sandboxId: id,
    sentry: NO_PROCESS,
    gofer: NO_PROCESS,
    upper: bundle.files.upper,
    cgroup: null,
    hooks: bundle.config.hooks,
    terminal: streams.isTerminal,
    namespaces: {},
  };
}

/** Name of this process's user, or its number. */
function ownerName(): string {
  const uid = Deno.uid() ?? 0;
  if (uid === 0) return "root";
  try {
    const line = Deno.readTextFileSync("/etc/passwd").split("\n").find((text) =>
      text.split(":")[2] === String(uid)
    );
    return line?.split(":")[0] ?? String(uid);
  } catch {
    return String(uid);
  }
}

function openLog(dir: ContainerDir): number {
  const flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
  return check(openat(AT_FDCWD, logPath(dir), flags, 0o600), "open sandbox.log");
}

/**
 * systemd makes its unit for the first process; with cgroupfs each process moves itself into the
 * groups.
 */
function cgroupOptions({ id, bundle: { config }, globals }: CreateOptions): CgroupOptions {
  const { cgroupsPath, resources } = config.linux;
  return {
    id,
    cgroupsPath,
    resources,
    driver: globals.options["systemd-cgroup"] ? "systemd" : "cgroupfs",
    isRootless: globals.rootless === "auto" ? isUnprivileged() : globals.rootless,
    annotations: config.annotations,
    overhead: OVERHEAD,
  };
}

/** As an ordinary user, root of a user namespace, and root of a container without privilege. */
function isUnprivileged(): boolean {
  return Deno.uid() !== 0 || isInUserNamespace() || !hasCapability(CAP_SYS_ADMIN);
}

function startContainerProxy(
  options: CreateOptions,
  cgroup: ContainerCgroup,
  { control, leash, network }: { control: number; leash: number; network: number },
): Proxy {
  const { config, hostNamespaces } = options.bundle;
  const namespaces = openNamespaces(hostNamespaces);
  const isNewTime = hostNamespaces.some((n) => n.type === "time" && n.path === null);
  try {
    const proxy = startProxy({
      argv: config.process.args,
      control,
      leash,
      terminal: options.streams.proxyTerminal,
      newNamespaces: network < 0 ? namespaces.created : namespaces.created - CLONE_NEWNET,
      entered: namespaces.entered,
      newNetwork: network,
      timeOffsets: isNewTime ? timeOffsetsOf(config.linux) : null,
      hostname: config.hostname,
    });
    if ((namespaces.created & CLONE_NEWUSER) !== 0) writeIdMaps(proxy.pid, config.linux);
    cgroup.addProcess(proxy.pid);
    return proxy;
  } catch (error) {
    throw new UserError("cannot start the process that stands for the container", undefined, error);
  } finally {
    namespaces.close();
  }
}

function startOwnSandbox(making: ContainerCreation): CreatedProcesses {
  const { dir, bundle, settings, streams, proxy } = making;
  const namespace = mayEnterNetwork(making) ? openNamespace(`/proc/${proxy.pid}/ns/net`) : -1;
  const users = openUsers(making);
  const mustSet = namespace >= 0 && !making.hasSettings;
  if (mustSet) setHostSettings(namespace, bundle.config.linux.sysctl);
  const server = listenForControl(dir);
  const sandbox = startSandbox({
    spec: bootSpec(making),
    roots: bundle.files.goferRoots,
    stdio: streams.takeStdio(),
    debugLog: openDebugLog(settings.debugLog),
    stderr: making.log,
    namespace,
    users,
    waiter: making.waiter,
    server,
    join: hostSteps(making),
    ...(making.restore === undefined ? {} : { image: making.restore.image }),
  });
  for (const fd of [namespace, users]) if (fd >= 0) close(fd);
  try {
    runCreateHooks(making);
    sandbox.confine();
    sandbox.load();
    sandbox.release();
  } catch (error) {
    sandbox.destroy();
    throw error;
  }
  return {
    sandboxId: making.id,
    sentry: processId(sandbox.sentry.pid),
    gofer: processId(sandbox.gofer.pid),
  };
}
