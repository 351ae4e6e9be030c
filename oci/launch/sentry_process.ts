/**
 * Starts `dvisor boot`, the kernel of a sandbox: in namespaces of its own, without capabilities, as
 * another user where there is one. empty_root.ts takes its root directory away later, when it has
 * loaded what it needs.
 *
 * With host networking it stays in the network namespace that it is started in, and keeps two
 * capabilities if its guests may have them: for ports below 1024, and for raw sockets (its filter
 * has no packet sockets). They count only in the user namespace that owns the network namespace, so
 * the process must be in that one. Without host networking it has a user namespace that maps no
 * ids.
 */

import {
  CAP_NET_BIND_SERVICE,
  CAP_NET_RAW,
  CAP_SETGID,
  CAP_SETUID,
} from "../../ffi/abi/capability.ts";
import {
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "../../ffi/abi/sched.ts";
import { SYS_getegid, SYS_geteuid } from "../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { close } from "../../ffi/sys/files.ts";
import { SpawnScript } from "../../ffi/sys/spawn.ts";
import { hasCapability, isFullRoot } from "../host/privileges.ts";
import { explain } from "../user_error.ts";
import { makeUsers, usersOf } from "./own_users.ts";
import { launch, type Launched, type LevelPlan } from "./confinement_levels.ts";
import type { Program } from "./executables.ts";
import * as steps from "../host/launch_steps.ts";

/** The overflow user, which owns no files. */
const NOBODY = 65534;

const NAMESPACES = CLONE_NEWNS + CLONE_NEWPID + CLONE_NEWIPC + CLONE_NEWUTS;

/** Capabilities for host networking. */
const NETWORK_CAPABILITIES = [CAP_NET_BIND_SERVICE, CAP_NET_RAW];

export interface SentryNetwork {
  /** Uses the network namespace where it is started, and not an empty one. */
  readonly isHost: boolean;
  /** Capabilities that guests may have. */
  readonly capabilities: readonly number[];
}

interface SentryOptions {
  /** By number in the new process; -1: /dev/null */
  readonly fds: readonly number[];
  readonly network: SentryNetwork;
  /** The network namespace to enter; -1: this process's. */
  readonly namespace: number;
  /** It lives on when the launcher ends. */
  readonly isDetached: boolean;
  /** Steps that move it into control groups. */
  readonly join: (script: SpawnScript) => void;
}

export function startSentry(
  program: Program,
  args: readonly string[],
  options: SentryOptions,
): Launched {
  const isRoot = isFullRoot(), { network, namespace } = options;
  const flags = NAMESPACES + (network.isHost ? 0 : CLONE_NEWNET);
  const kept = network.isHost && isRoot ? networkCapabilities(network.capabilities) : [];
  const mayChange = program.isPublic && mayBecomeNobody();
  const plans: LevelPlan[] = [], problems: string[] = [];
  const users = isRoot ? usersFor(kept, network.isHost ? namespace : -1, problems) : -1;
  const asRoot = { level: "root", cloneFlags: flags } as const;
  if (users >= 0) plans.push({ ...asRoot, script: inUsers(users) });
  const isWeaker = users >= 0 || problems.length > 0;
  if (isRoot) plans.push({ ...asRoot, script: inOurs(), isWeaker });
  plans.push({ level: "user", cloneFlags: flags + CLONE_NEWUSER, script: asUser() });
  plans.push({ level: "none", cloneFlags: 0, script: asItIs() });
  try {
    return launch("kernel of the sandbox", plans, problems);
  } finally {
    if (users >= 0) close(users);
  }

  /**
   * Enters `users`, in which the process has no mapped id, and holds the capabilities that it
   * keeps.
   */
  function inUsers(users: number): SpawnScript {
    const script = new SpawnScript(), entered = steps.aside(script, users, options.fds);
    return complete(script, kept, () => {
      steps.ownMounts(script);
      steps.keepPermitted(script);
      if (mayChange) steps.becomeUser(script, NOBODY, NOBODY);
      steps.enterUsers(script, entered);
      steps.boundWithPassing(script, [], kept, true);
    });
  }

  function inOurs(): SpawnScript {
    const script = new SpawnScript();
    return complete(script, kept, () => {
      steps.ownMounts(script);
      steps.boundWithPassing(script, [], kept);
      if (kept.length > 0) steps.keepPermitted(script);
      if (mayChange) steps.becomeUser(script, NOBODY, NOBODY);
    });
  }

  function asUser(): SpawnScript {
    const script = new SpawnScript();
    return complete(script, [], () => {
      steps.mapOwnIds(script, syscall(SYS_geteuid), syscall(SYS_getegid));
      steps.ownMounts(script);
      steps.boundCapabilities(script, []);
    });
  }

  function asItIs(): SpawnScript {
    const script = new SpawnScript();
    return complete(script, [], () => {
      steps.boundCapabilities(script, []);
      if (mayChange) steps.becomeUser(script, NOBODY, NOBODY);
    });
  }

  /** @param confine adds the steps between the descriptors and the end of privileges */
  function complete(
    script: SpawnScript,
    capabilities: readonly number[],
    confine: () => void,
  ): SpawnScript {
    options.join(script);
    steps.ownSession(script);
    if (network.isHost && namespace >= 0) steps.enterNetwork(script, namespace);
    const executed = steps.aside(script, program.fd, options.fds);
    steps.descriptors(script, options.fds);
    steps.limits(script);
    confine();
    steps.dropCapabilities(script, capabilities);
    steps.noNewPrivileges(script);
    if (!options.isDetached) steps.tieToParent(script);
    script.execFd(executed, [...program.argv, ...args], program.env);
    return script;
  }
}

/**
 * The user namespace to be in: what is kept counts only in that of the network.
 *
 * @param kept capabilities
 * @param namespace of the network, or -1
 * @param problems gets why there is none where there should be
 * @returns descriptor; -1: this process's
 */
function usersFor(kept: readonly number[], namespace: number, problems: string[]): number {
  const users = namespace < 0 ? -1 : usersOf(namespace);
  if (users >= 0 || kept.length > 0) return users;
  try {
    return makeUsers(null).users;
  } catch (error) {
    problems.push(explain(error));
    return -1;
  }
}

/** Of the capabilities that host networking can use those in `allowed` that this process has. */
export function networkCapabilities(allowed: readonly number[]): number[] {
  const line = /^CapPrm:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"));
  const own = parseInt(line?.[1]?.slice(-8) ?? "0", 16);
  return NETWORK_CAPABILITIES.filter((cap) => allowed.includes(cap) && (own & (1 << cap)) !== 0);
}

/** Whether this process may change its user, which may not exist here: few ids may be mapped. */
function mayBecomeNobody(): boolean {
  if (![CAP_SETUID, CAP_SETGID].every(hasCapability)) return false;
  return ["uid_map", "gid_map"].every((file) =>
    Deno.readTextFileSync(`/proc/self/${file}`).split("\n").some((line) => {
      const [first = NaN, , size = NaN] = line.trim().split(/\s+/).map(Number);
      return first <= NOBODY && NOBODY < first + size;
    })
  );
}
