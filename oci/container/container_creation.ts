/** A container while it is made: what create.ts and join_sandbox.ts share. */

import { CAP_SYS_ADMIN } from "../../ffi/abi/capability.ts";
import { hasCapability } from "../host/privileges.ts";
import { isolateProcessor } from "../launch/processor_isolation.ts";
import { check, SyscallError } from "../../ffi/sys/errors.ts";
import type { SpawnScript } from "../../ffi/sys/spawn.ts";
import type { ContainerCgroup } from "../launch/cgroup/container_cgroup.ts";
import type { Globals } from "../options/globals.ts";
import type { SandboxSettings } from "../launch/foreground_sandbox.ts";
import { checkOomScoreAdj, oomScoreAdj, ownOomScoreAdj } from "../host/oom_score.ts";
import { allowedCpus, allowedMemory } from "../host/host_limits.ts";
import { openNamespace, type Proxy } from "../launch/proxy_process.ts";
import { errnoText } from "../file_error.ts";
import { UserError } from "../user_error.ts";
import type { BootSpec, NetworkMode, RestoreSpec } from "../protocol/boot_spec.ts";
import type { ContainerRecord } from "../state/record.ts";
import type { ContainerDir, StateStore } from "../state/store.ts";
import { sizeOfLog } from "./annotated_log.ts";
import type { Bundle } from "./bundle.ts";
import { hasOwnUsers } from "./host_namespaces.ts";
import type { PidChoice } from "./pid_file.ts";
import type { Streams } from "./standard_streams.ts";
import { timeOffsetsOf } from "./time_namespaces.ts";
import { close } from "../../ffi/sys/files.ts";
import { runHooks } from "../launch/run_hooks.ts";
import { ociState } from "./oci_state.ts";

export interface CreateOptions {
  readonly id: string;
  readonly bundle: Bundle;
  readonly store: StateStore;
  readonly globals: Globals;
  readonly settings: SandboxSettings;
  /** The guest's standard streams; createContainer closes them. */
  readonly streams: Streams;
  readonly pidChoice: PidChoice;
  /** It goes on from a snapshot; absent: it is a new one. */
  readonly restore?: RestoreChoice;
}

interface RestoreChoice {
  /** The snapshot file; createContainer closes it. */
  readonly image: number;
  readonly spec: RestoreSpec;
}

/** A container that a part of this module works on. */
export interface ContainerCreation extends CreateOptions {
  /** The record as it was first written. */
  readonly record: ContainerRecord;
  readonly dir: ContainerDir;
  readonly proxy: Proxy;
  /** The sandbox's end of the socket to the proxy. */
  readonly waiter: number;
  readonly cgroup: ContainerCgroup;
  /** The network namespace has the settings of config.json already. */
  readonly hasSettings: boolean;
  /** Descriptor of the file that takes messages of the container's processes. */
  readonly log: number;
}

/** The record's members about the processes of a container. */
export type CreatedProcesses = Pick<ContainerRecord, "sandboxId" | "sentry" | "gofer">;

/** The boot spec of this container. */
export function bootSpec(
  { id, bundle, settings, streams, proxy, cgroup, restore }: ContainerCreation,
): Omit<BootSpec, "fds"> {
  const { config } = bundle;
  return {
    id,
    platform: settings.platform,
    hostname: config.hostname ?? proxy.hostname,
    domainname: config.domainname,
    process: {
      ...config.process,
      oomScoreAdj: config.process.oomScoreAdj ?? ownOomScoreAdj(),
      terminal: streams.isTerminal,
      consoleSize: streams.isTerminal ? config.consoleSize ?? streams.size : null,
    },
    root: bundle.files.root,
    mounts: bundle.files.mounts,
    trees: bundle.files.goferRoots.map(({ name }) => name),
    maskedPaths: bundle.files.maskedPaths,
    readonlyPaths: bundle.files.readonlyPaths,
    files: bundle.files.files,
    timeOffsets: timeOffsetsOf(config.linux),
    network: networkOf(bundle, settings),
    waitsForStart: restore === undefined,
    ...(restore === undefined ? {} : { restore: restore.spec }),
    strace: settings.strace,
    debugLogBytes: sizeOfLog(settings.debugLog),
    isQuiet: settings.isQuiet,
    requireSandbox: settings.requireSandbox,
    panicOnBug: settings.panicOnBug,
    hostKeeps: { memory: cgroup.hostKeeps("memory"), cpu: cgroup.hostKeeps("cpu") },
    memoryBytes: Math.min(allowedMemory(), config.memoryLimit ?? Infinity),
    cpus: Math.min(allowedCpus(), Math.max(1, Math.ceil(config.cpuLimit ?? Infinity))),
  };
}

/**
 * Whether the sandbox's kernel can enter the container's network namespace, if the container has
 * one.
 */
export function mayEnterNetwork({ bundle, settings }: ContainerCreation): boolean {
  return hasNetwork(bundle) && networkOf(bundle, settings) !== "none";
}

function hasNetwork(bundle: Bundle): boolean {
  return bundle.config.linux.namespaces.some(({ type }) => type === "network");
}

/**
 * Without privilege the sandbox's kernel cannot enter a network namespace that belongs to the
 * container's users. Such a namespace has only `lo`, which the sandbox's kernel has itself, also
 * where the caller can have no such namespace.
 */
export function networkOf(bundle: Bundle, settings: SandboxSettings): NetworkMode {
  if (!hasNetwork(bundle)) return settings.network;
  const isThere = bundle.hostNamespaces.some(({ type }) => type === "network");
  return isThere && hasCapability(CAP_SYS_ADMIN) ? settings.network : "none";
}

/**
 * The user namespace that the container's Gofer must be in: a descriptor, or -1.
 * @throws SyscallError
 */
export function openUsers({ bundle, proxy }: ContainerCreation): number {
  const isOwn = hasOwnUsers(bundle.hostNamespaces);
  return isOwn ? openNamespace(`/proc/${proxy.pid}/ns/user`) : -1;
}

/**
 * Steps of every process of a container: its control groups, its OOM score, the isolation of the
 * processor.
 */
export function hostSteps(
  { cgroup, bundle, settings }: Pick<ContainerCreation, "cgroup" | "bundle" | "settings">,
): (script: SpawnScript) => void {
  const { oomScoreAdj: value } = bundle.config.process;
  return (script) => {
    cgroup.join(script);
    isolateProcessor(script, settings.processor);
    if (value !== null) oomScoreAdj(script, value, cgroup.record.isRootless);
  };
}

/**
 * @param value null: the value is not changed
 * @throws UserError where the host forbids the value
 */
export function checkOomScore(value: number | null): void {
  try {
    if (value !== null) checkOomScoreAdj(value);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const message = `config.json: process.oomScoreAdj is ${value}: ${errnoText(error.errno)}`;
    throw new UserError(message, undefined, error);
  }
}

/** @throws SyscallError */
export function checkPair(pair: [number, number] | number, what: string): [number, number] {
  if (typeof pair !== "number") return pair;
  check(pair, what);
  throw new Error(`${what} gave no pair`);
}

/** The proxy's namespaces that hooks of the container enter. */
const ENTERED = ["net", "ipc", "uts"];

/**
 * A container that goes on from a snapshot has been made before: hooks run that set up the host
 * around it, and those of `createContainer` do not, as with runc.
 *
 * @throws UserError
 */
export function runCreateHooks({ bundle, record, proxy, restore }: ContainerCreation): void {
  const { hooks } = bundle.config, { pid } = proxy;
  const init = { ...record.init, pid };
  const state = JSON.stringify(ociState({ ...record, init }, "creating"));
  const place = { state, directory: record.bundle };
  runHooks([...hooks.prestart, ...hooks.createRuntime], place);
  if (hooks.createContainer.length === 0 || restore !== undefined) return;
  const enter = ENTERED.map((name) => openNamespace(`/proc/${pid}/ns/${name}`));
  try {
    runHooks(hooks.createContainer, { ...place, enter });
  } finally {
    enter.forEach(close);
  }
}
