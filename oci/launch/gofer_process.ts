/**
 * Starts `dvisor-gofer`, the file server of a container, in namespaces of its own where this
 * process may make them. The Gofer takes its own root directory away, drops capabilities and
 * installs its filter before it serves.
 *
 * Root's Gofer is in a user namespace that maps all ids to themselves: it has its capabilities over
 * files, and over nothing else of the host. An ordinary user's Gofer is in that user's namespace,
 * because in another one the files of other users would seem to belong to the overflow user.
 */

import {
  CAP_CHOWN,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
  CAP_MKNOD,
  CAP_SETFCAP,
  CAP_SYS_ADMIN,
  CAP_SYS_CHROOT,
} from "../../ffi/abi/capability.ts";
import {
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUTS,
} from "../../ffi/abi/sched.ts";
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
} from "../../ffi/abi/mount.ts";
import { close } from "../../ffi/sys/files.ts";
import { type PrevResult, SpawnScript } from "../../ffi/sys/spawn.ts";
import type { MountIds } from "../spec/id_mappings.ts";
import { isFullRoot } from "../host/privileges.ts";
import { explain } from "../user_error.ts";
import type { HostView } from "./host_view.ts";
import { launch, type Launched, type LevelPlan } from "./confinement_levels.ts";
import { copyMappedTree } from "./mapped_tree.ts";
import { makeUsers, sameIds } from "./own_users.ts";
import type { Program } from "./executables.ts";
import * as steps from "../host/launch_steps.ts";
import { copyTree } from "./tree_copy.ts";

const NAMESPACES = CLONE_NEWNS + CLONE_NEWPID + CLONE_NEWNET + CLONE_NEWIPC + CLONE_NEWUTS;

/** Capabilities for serving files. */
const CAPABILITIES = [
  CAP_CHOWN,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
  CAP_MKNOD,
  CAP_SETFCAP,
];

/** Capabilities that the Gofer needs until its root directories are detached. */
const FIRST_CAPABILITIES = [CAP_SYS_ADMIN, CAP_SYS_CHROOT];

/** A host path to serve. */
export interface GoferRoot {
  readonly path: string;
  readonly isReadOnly: boolean;
  /** Without mounts of the host below it. */
  readonly isFlat?: boolean;
  /** Guests may connect to the host's sockets in it, and open its FIFOs. */
  readonly connects?: boolean;
  /** Guests may make sockets in it that the host's programs connect to. */
  readonly binds?: boolean;
  /** Mounts that the host makes below it later are visible. */
  readonly follows?: boolean;
  /** The part of it that is visible, of the first root; absent: all. */
  readonly view?: HostView;
  /** Its files have other ids than on disk. */
  readonly ids?: MountIds;
  /** Its place in config.json, for messages; where it has ids of its own. */
  readonly jsonPath?: string;
}

function suffixOf(root: GoferRoot): string {
  const { isReadOnly, isFlat, connects, binds, follows, view } = root;
  const sockets = `${connects ? ":uds" : ""}${binds ? ":bind" : ""}${follows ? ":slave" : ""}`;
  const part = view?.isPublic === true ? ":public" : "";
  return `:${isReadOnly ? "ro" : "rw"}${isFlat ? ":flat" : ""}${sockets}${part}`;
}

/** Its number in the Gofer. */
const SOCKET_FD = 3;

interface GoferOptions {
  readonly roots: readonly GoferRoot[];
  /** Connected socket. */
  readonly socket: number;
  readonly requireSandbox: boolean;
  /** Does not say what the host refused. */
  readonly isQuiet: boolean;
  /** It outlives the launcher, and ends with its socket. */
  readonly isDetached: boolean;
  /** Steps that move it into control groups. */
  readonly join: (script: SpawnScript) => void;
  /** Where its messages go. */
  readonly stderr: number;
  /** The user namespace whose ids the Gofer serves; -1: this process's. */
  readonly users: number;
}

/**
 * Attributes of roots that are passed to the Gofer, the same as of those that it detaches itself
 * (gofer/backend/confined_tree.ts).
 */
const ATTRIBUTES = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOSYMFOLLOW;

/**
 * Roots that are passed as descriptors in any case: their descriptors here, -1 for the others.
 * @throws UserError
 */
function mappedTrees({ roots, users }: GoferOptions): number[] {
  return roots.map(({ ids, jsonPath = "", ...root }) =>
    ids === undefined ? -1 : copyMappedTree({ ...root, ids, jsonPath }, attributesOf(root), users)
  );
}

function attributesOf({ isReadOnly }: GoferRoot): number {
  return ATTRIBUTES | (isReadOnly ? MOUNT_ATTR_RDONLY : 0);
}

/** Root i has the attach name `String(i)`. */
export function startGofer(program: Program, options: GoferOptions): Launched {
  const mapped = mappedTrees(options);
  try {
    return startWith(program, options, mapped);
  } finally {
    for (const fd of mapped) if (fd >= 0) close(fd);
  }
}

function startWith(
  program: Program,
  options: GoferOptions,
  mapped: readonly number[],
): Launched {
  const plans: LevelPlan[] = [], problems: string[] = [];
  const isRoot = isFullRoot();
  // Only a privileged process can make these namespaces for other users.
  const cloneFlags = isRoot ? CLONE_NEWNS + CLONE_NEWPID : 0;
  const follows = options.roots.some((root) => root.follows);
  if (options.users >= 0) {
    // User 0 of another user namespace may not reach the roots, so they are passed; an ordinary
    // user cannot pass them.
    for (const handsOver of [true, false]) {
      const asUser = script(true, handsOver, options.users);
      plans.push({ level: "user", cloneFlags, script: asUser });
    }
    return launch("file server", plans);
  }
  let users = -1;
  if (isRoot) {
    // Mounts that spread into another user namespace are locked there: they would stay after the
    // host unmounts them.
    if (!follows) users = usersWithAllIds(problems);
    for (const handsOver of users < 0 ? [] : [true, false]) {
      plans.push({ level: "root", cloneFlags, script: script(true, handsOver, users) });
    }
    const asRoot = { level: "root", cloneFlags: NAMESPACES } as const;
    plans.push({ ...asRoot, script: script(true), isWeaker: !follows });
  }
  plans.push({ level: "none", cloneFlags: 0, script: script(false) });
  try {
    return launch("file server", plans, problems);
  } finally {
    if (users >= 0) close(users);
  }

  function script(inNamespaces: boolean, handsOver = false, users = -1): SpawnScript {
    const s = new SpawnScript();
    options.join(s);
    // The PID namespace does not belong to the user namespace, so /proc is mounted before that is
    // entered.
    if (users >= 0 && isRoot) steps.ownMounts(s, follows);
    // -1 is a place that is not used.
    const places = options.roots.map((root, i) => {
      const own = mapped[i] ?? -1;
      return own < 0 && handsOver ? copyTree(s, root, attributesOf(root)) : own;
    });
    if (users >= 0) steps.becomeRootOf(s, users, NAMESPACES - CLONE_NEWPID);
    steps.ownSession(s);
    const copies = places.some((place) => place !== -1) ? places : [];
    const fds = [-1, -1, options.stderr, options.socket, ...copies];
    const executed = steps.aside(s, program.fd, fds);
    steps.descriptors(s, fds);
    steps.limits(s);
    if (inNamespaces) steps.ownMounts(s, follows);
    steps.boundWithPassing(s, CAPABILITIES, FIRST_CAPABILITIES, users >= 0);
    steps.noNewPrivileges(s);
    if (!options.isDetached) steps.tieToParent(s);
    s.execFd(executed, [...program.argv, ...argumentsOf(options, copies)], program.env);
    return s;
  }
}

function argumentsOf(
  { roots, requireSandbox, isQuiet }: GoferOptions,
  copies: readonly (number | PrevResult)[],
): string[] {
  const args = ["serve", `--fd=${SOCKET_FD}`];
  roots.forEach((root, i) => {
    const copy = (copies[i] ?? -1) !== -1 ? `:fd=${SOCKET_FD + 1 + i}` : "";
    args.push(`--root=${root.path}${suffixOf(root)}${copy}`);
  });
  const { hidden = [], shown = [] } = roots[0]?.view ?? {};
  for (const { path } of hidden) args.push(`--hide=${path}`);
  for (const { path } of shown) args.push(`--show=${path}`);
  if (requireSandbox) args.push("--require-confinement");
  if (isQuiet) args.push("--quiet");
  return args;
}

/**
 * @param problems gets the reason when there is none
 * @returns a descriptor, or -1
 */
function usersWithAllIds(problems: string[]): number {
  try {
    return makeUsers(sameIds()).users;
  } catch (error) {
    problems.push(explain(error));
    return -1;
  }
}
