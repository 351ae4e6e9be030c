/**
 * What a guest sees of this host's files: the policy behind `--show`, `--hide` and `--home`. The
 * Gofer enforces it (gofer/backend/visible_part.ts), so the Sentry is not trusted with it.
 *
 * On the host's own root the modes decide: what others on this host cannot read seems empty. Homes
 * seem empty whatever their modes are. Shown are the working directory and what the caller names.
 * File systems of the host's kernel (/proc, /sys, /dev) are never part of the view: a guest has its
 * own, and unmounts or looks below them as it likes.
 */

import { RequestError } from "../protocol/request_error.ts";
import type { ErrorCode } from "../protocol/session/messages.ts";
import { UserError } from "../user_error.ts";

/** Paths are absolute, below the sandbox's root directory, and without symbolic links. */
export interface HostView {
  /** The modes of files decide, by what they permit to others. */
  readonly isPublic: boolean;
  readonly hidden: readonly SeenPath[];
  readonly shown: readonly SeenPath[];
}

/** A path and the reason for it, as `--explain` prints it. */
export interface SeenPath {
  readonly path: string;
  readonly reason: string;
}

/** What the caller of `do` or of the library asks for. */
export interface ViewRequest {
  /** The directory that becomes the root directory, as the caller names it. */
  readonly root: string;
  /** Working directory in the sandbox; null: none of the host's. */
  readonly cwd: string | null;
  /** The caller's home; null: none. */
  readonly home: string | null;
  readonly showsHome: boolean;
  readonly show: readonly string[];
  readonly hide: readonly string[];
  /** In front of the names of options in messages: "--" on a command line. */
  readonly prefix: string;
}

/** Looks at the host's files. */
export interface HostFiles {
  /** Without symbolic links; null: there is none that this process can find. */
  realPath(path: string): string | null;
  /** The text of a file; "" without one. */
  read(path: string): string;
  /** The same text for paths of one file: hard links, bind mounts; null: not known. */
  identity(path: string): string | null;
}

export const HOST_FILES: HostFiles = {
  realPath(path) {
    try {
      return Deno.realPathSync(path);
    } catch {
      return null;
    }
  },
  read(path) {
    try {
      return Deno.readTextFileSync(path);
    } catch {
      return "";
    }
  },
  identity(path) {
    try {
      const { dev, ino } = Deno.statSync(path);
      return `${dev}:${ino}`;
    } catch {
      return null;
    }
  },
};

/** Ids of people in /etc/passwd (login.defs(5)); the last ones belong to no user. */
const FIRST_USER = 1000, LAST_USER = 65_533;

/** Trees of the system: one is a working directory, but that is no reason to show its secrets. */
const SYSTEM_TREES = [
  ..."bin boot dev etc lib lib32 lib64 libx32 proc run sbin sys usr".split(" "),
].map((name) => `/${name}`);

/** Directories of the kernel on every host, and the types of its file systems elsewhere. */
const KERNEL_TREES = ["/dev", "/proc", "/sys"];
const KERNEL_TYPES =
  ("binfmt_misc bpf cgroup cgroup2 configfs cpuset debugfs devpts devtmpfs efivarfs fusectl " +
    "mqueue nfsd nsfs proc pstore resctrl rpc_pipefs securityfs selinuxfs smackfs sysfs tracefs")
    .split(" ");

/** Directories that many programs and users share: what is in them may be a project. */
const SHARED = ["/", "/home", "/media", "/mnt", "/opt", "/srv", "/tmp", "/var"];

export function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}

/**
 * Everything is looked up now: a path that others make later is not part of the view.
 * @throws UserError naming a path that is not there
 */
export function hostView(request: ViewRequest, files: HostFiles = HOST_FILES): HostView {
  const root = files.realPath(request.root) ?? request.root, { prefix } = request;
  const find = (path: string, reason: string): SeenPath => {
    const refuse = (code: ErrorCode, why: string): never => {
      throw new RequestError(code, `${reason} ${path}: ${why}`, "", path);
    };
    if (!path.startsWith("/")) refuse("InvalidArgument", "the path is not absolute");
    const real = files.realPath(root === "/" ? path : `${root}${path}`);
    if (real === null) return refuse("NotFound", "there is no such file");
    if (!isBelow(real, root)) refuse("InvalidArgument", "it leads out of the root");
    return { path: root === "/" ? real : real.slice(root.length) || "/", reason };
  };
  const show = request.show.map((path) => find(path, `${prefix}show`));
  const hide = request.hide.map((path) => find(path, `${prefix}hide`));
  const isSame = sameFile(root, files), kernel = kernelTrees(root, files);
  requireDifferent(show, hide, isSame, prefix);
  requireNoKernel(show, kernel);
  if (root !== "/") return { isPublic: false, hidden: [...kernel, ...hide], shown: show };
  const home = request.home === null ? null : files.realPath(request.home);
  if (request.showsHome && home === null) {
    const why = request.home === null ? "HOME is not set" : `there is no ${request.home}`;
    throw new UserError(`${prefix}home: ${why}`);
  }
  const homes = homesOf(home, files), named = [...show, ...homeShown(request, home)];
  requireNoKernel(named, kernel);
  const directory = directoryShown(request, homes, kernel, files);
  const isShown = (path: string) =>
    named.some((seen) => isBelow(path, seen.path) || isSame(path, seen.path));
  return {
    isPublic: true,
    hidden: [...kernel, ...homes.filter(({ path }) => !isShown(path)), ...hide],
    shown: unique([...named, ...directory]),
  };
}

/** The view of a root directory of which guests see and write all that is on its disks. */
export function wholeView(path: string, files: HostFiles = HOST_FILES): HostView {
  const root = files.realPath(path) ?? path;
  return { isPublic: false, hidden: kernelTrees(root, files), shown: [] };
}

/** File systems of the host's kernel below a root directory, each below no other one. */
function kernelTrees(root: string, files: HostFiles): SeenPath[] {
  const found: SeenPath[] = [];
  const add = (path: string): void => {
    if (path === root || !isBelow(path, root) || files.realPath(path) !== path) return;
    const below = root === "/" ? path : path.slice(root.length);
    if (found.some((seen) => isBelow(below, seen.path))) return;
    found.push({ path: below, reason: "this host's kernel" });
  };
  for (const path of root === "/" ? KERNEL_TREES : []) add(path);
  for (const line of files.read("/proc/self/mountinfo").split("\n")) {
    const [, place = "", type = ""] = /^(?:\S+ ){4}(\S+) .* - (\S+) /.exec(line) ?? [];
    if (!KERNEL_TYPES.includes(type)) continue;
    add(place.replace(/\\([0-7]{3})/g, (_, code) => String.fromCharCode(parseInt(code, 8))));
  }
  return found;
}

function sameFile(root: string, files: HostFiles): (a: string, b: string) => boolean {
  const identityOf = (path: string) => files.identity(root === "/" ? path : `${root}${path}`);
  return (a, b) => a === b || (identityOf(a) ?? a) === (identityOf(b) ?? b);
}

function requireDifferent(
  show: readonly SeenPath[],
  hide: readonly SeenPath[],
  isSame: (a: string, b: string) => boolean,
  prefix: string,
): void {
  for (const { path } of show) {
    const other = hide.find((seen) => isSame(seen.path, path))?.path;
    if (other === undefined) continue;
    const message = other === path
      ? `${path} is in ${prefix}show and in ${prefix}hide`
      : `${prefix}show ${path} and ${prefix}hide ${other} are the same file`;
    throw new RequestError("InvalidArgument", message, "", path);
  }
}

function requireNoKernel(shown: readonly SeenPath[], kernel: readonly SeenPath[]): void {
  const seen = shown.find(({ path }) => kernel.some((tree) => isBelow(path, tree.path)));
  if (seen === undefined) return;
  const message = `${seen.reason} ${seen.path}: a sandbox never sees this host's kernel there`;
  throw new RequestError("InvalidArgument", message, "", seen.path);
}

function unique(paths: readonly SeenPath[]): SeenPath[] {
  return paths.filter(({ path }, i) => paths.findIndex((seen) => seen.path === path) === i);
}

/** The homes on this host; those in /home are covered by that, but for the caller's. */
function homesOf(home: string | null, files: HostFiles): SeenPath[] {
  const found: SeenPath[] = [];
  const add = (path: string | null, reason: string): void => {
    if (path === null || !isHome(path) || found.some((seen) => seen.path === path)) return;
    if (path !== home && found.some((seen) => isBelow(path, seen.path))) return;
    found.push({ path, reason });
  };
  add(files.realPath("/root"), "a home");
  add(files.realPath("/home"), "homes");
  add(home, "the caller's home");
  for (const line of files.read("/etc/passwd").split("\n")) {
    const [name = "", , uid = "", , , path = ""] = line.split(":");
    const id = uid === "" ? NaN : Number(uid);
    if (!(id >= FIRST_USER && id <= LAST_USER) || !path.startsWith("/")) continue;
    add(files.realPath(path), `the home of ${name}`);
  }
  return found;
}

/** Whether a user's home can be hidden: some have a directory of the system as theirs. */
function isHome(path: string): boolean {
  if (path === "/home") return true;
  return !SHARED.includes(path) && !SYSTEM_TREES.some((tree) => isBelow(path, tree));
}

function homeShown(request: ViewRequest, home: string | null): SeenPath[] {
  const { showsHome, prefix } = request;
  return showsHome && home !== null ? [{ path: home, reason: `${prefix}home` }] : [];
}

/**
 * The working directory, unless it is a part of the system or of the kernel, is a home or has one
 * in it.
 */
function directoryShown(
  { cwd }: ViewRequest,
  homes: readonly SeenPath[],
  kernel: readonly SeenPath[],
  files: HostFiles,
): SeenPath[] {
  const path = cwd === null ? null : files.realPath(cwd), isSame = sameFile("/", files);
  if (path === null || SHARED.includes(path) || /^\/var\/[^/]*$/.test(path)) return [];
  if (SYSTEM_TREES.some((tree) => isBelow(path, tree))) return [];
  if (kernel.some((tree) => isBelow(path, tree.path))) return [];
  if (homes.some((home) => isBelow(home.path, path) || isSame(home.path, path))) return [];
  return [{ path, reason: "the working directory" }];
}

/**
 * The hidden path that hides a path without symbolic links; null: it is not hidden, whatever the
 * modes are.
 */
export function hidingOf({ hidden, shown }: HostView, path: string): SeenPath | null {
  const longest = (paths: readonly SeenPath[]): SeenPath | null =>
    paths.filter((seen) => isBelow(path, seen.path))
      .sort((a, b) => b.path.length - a.path.length)[0] ?? null;
  const hiding = longest(hidden), showing = longest(shown);
  return hiding !== null && hiding.path.length > (showing?.path.length ?? -1) ? hiding : null;
}
