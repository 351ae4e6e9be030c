/**
 * What must hold after a program, whatever it did: a container that made no call is as before, an
 * ordinary user has gained nothing, the kernel's own structures agree, and at the end of all
 * processes everything is given back.
 *
 * Neighbour: world.ts.
 */

import { hasBit } from "../../../kernel/cred/credentials.ts";
import { INITIAL_USER_NAMESPACE } from "../../../kernel/cred/user_namespace.ts";
import type { Container } from "../../../kernel/task/container.ts";
import { DEAD } from "../../../kernel/task/task.ts";
import type { Dentry } from "../../../kernel/vfs/dentry.ts";
import type { Inode } from "../../../kernel/vfs/inode.ts";
import { TmpfsDirectory } from "../../../kernel/fs/tmpfs/directory.ts";
import { S_IFDIR, S_IFMT } from "../../../ffi/abi/stat.ts";
import type { Program } from "./program.ts";
import { containerOf, isRootActor, type World } from "./world.ts";
import { objectCounts, QUOTAS, USER_UIDS } from "./world_parts.ts";

const CAP_LAST = 40;
/**
 * Keyrings of users outlive their processes (user-keyring(7)), and long lists of groups are kept
 * until the sandbox ends (kernel/cred/group_lists.ts).
 */
const OUTLIVING: readonly string[] = ["KEYS", "KEY_BYTES", "GROUP_LIST_BYTES"];
/** Files that only root may change. */
const ROOT_FILES: readonly string[] = ["prog", "suid", "secret"];

/** The state before a program ran. */
export class Before {
  readonly #world: World;
  readonly #texts: readonly string[];
  readonly #rootFiles: readonly string[];

  constructor(world: World) {
    this.#world = world;
    this.#texts = world.containers.map(describe);
    this.#rootFiles = world.containers.map(rootFilesOf);
  }

  /** Lines about what must not have changed and has. */
  findings(program: Program): string[] {
    const found: string[] = [], world = this.#world;
    for (const [i, container] of world.containers.entries()) {
      const own = program.filter(({ actor }) => containerOf(actor) === i);
      if (own.length === 0) {
        found.push(...changes(`container ${i}`, this.#texts[i]!, describe(container)));
      }
      if (own.some(({ actor }) => isRootActor(actor)) || world.gained.has(i)) continue;
      found.push(...changes(`root's files in ${i}`, this.#rootFiles[i]!, rootFilesOf(container)));
      found.push(...gains(container, USER_UIDS[i]!));
    }
    return found;
  }
}

/**
 * Processes that the ordinary user's descend from have its ids and no capability of the first user
 * namespace.
 */
function gains(container: Container, uid: number): string[] {
  const found: string[] = [];
  for (const group of container.groups) {
    if (group === container.init) continue;
    for (const { cred, tid, state } of group.tasks) {
      if (state === DEAD || cred.userNs !== INITIAL_USER_NAMESPACE) continue;
      const ids = [cred.uid, cred.euid, cred.suid, cred.fsuid];
      if (ids.some((id) => id !== uid)) found.push(`task ${tid} of user ${uid} has ids ${ids}`);
      for (let cap = 0; cap <= CAP_LAST; cap++) {
        if (hasBit(cred.permitted, cap)) {
          found.push(`task ${tid} of user ${uid} has capability ${cap}`);
        }
      }
    }
  }
  return found;
}

function changes(what: string, before: string, after: string): string[] {
  if (before === after) return [];
  const old = new Set(before.split("\n"));
  const lines = after.split("\n").filter((line) => !old.has(line));
  return [`${what} has changed: ${lines.slice(0, 5).join(" | ") || "something is gone"}`];
}

/** Everything of a container that another one could change. */
function describe(container: Container): string {
  const { ns, mounts, accounts } = container, lines: string[] = [];
  lines.push(`host ${ns.uts.hostname} domain ${ns.uts.domainname}`);
  lines.push(`mounts ${[...mounts.mounts].map((m) => `${m.fs.type}:${m.flags}`).join(" ")}`);
  for (const group of container.groups) {
    const ids = group.tasks.map(({ cred, state }) =>
      `${state} ${cred.uid} ${cred.euid} ${cred.permitted.lo}`
    );
    lines.push(`process ${group.pid} ${ids} adj ${group.oomScoreAdj} files ${filesOf(container)}`);
  }
  lines.push(`charged ${accounts.all.bytes}`);
  lines.push(...treeOf(mounts.root.root));
  return lines.join("\n");
}

function filesOf(container: Container): string {
  return [...container.groups].map((g) => g.tasks[0]?.files.count ?? 0).join(",");
}

function rootFilesOf(container: Container): string {
  const root = container.mounts.root.root.inode, lines: string[] = [];
  if (root === null) return "";
  lines.push(lineOf("/", root));
  for (const name of ROOT_FILES) {
    const inode = root.lookup(name);
    lines.push(typeof inode === "number" ? `${name} is gone` : lineOf(name, inode));
  }
  return lines.join("\n");
}

function lineOf(name: string | number, { mode, uid, gid, size }: Inode): string {
  const bytes = (mode & S_IFMT) === S_IFDIR ? 0 : size;
  return `${name} ${mode.toString(8)} ${uid} ${gid} ${bytes}`;
}

/** A line for each file of a container's root file system that has a name. */
function treeOf(root: Dentry): string[] {
  const lines: string[] = [], left: Inode[] = root.inode === null ? [] : [root.inode];
  for (let inode = left.pop(); inode !== undefined; inode = left.pop()) {
    lines.push(lineOf(inode.ino, inode));
    if (inode instanceof TmpfsDirectory) left.push(...inode.children());
  }
  return lines.sort();
}

/** Lines about what an ended world has not given back. */
export function leftovers(world: World): string[] {
  const found: string[] = [], { kernel, countsAtStart } = world;
  if (kernel.pids.tasks.size > 0) found.push(`${kernel.pids.tasks.size} tasks are left`);
  for (const [i, count] of objectCounts(kernel).entries()) {
    const more = count - countsAtStart[i]!, [name] = QUOTAS[i]!;
    if (more !== 0 && !OUTLIVING.includes(name)) found.push(`${more} more of ${name}`);
  }
  return found;
}
