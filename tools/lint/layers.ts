/**
 * The import direction of the architecture, as a pure function of two paths.
 * Not an AST visitor (`plugin.ts`) and no search for circles (`tests/tidy/`).
 */

/** Paths that each top folder may import besides itself. A path of a folder ends in `/`. */
const ALLOWED: Record<string, readonly string[]> = {
  ffi: [],
  platform: ["ffi/"],
  gofer: ["ffi/"],
  kernel: ["ffi/abi/", "ffi/mem/", "platform/platform.ts", "gofer/client/"],
  oci: ["ffi/", "platform/", "gofer/", "kernel/"],
  "mod.ts": ["oci/library/", "oci/protocol/session/"],
  tools: ["ffi/", "oci/part_table.ts"],
};

/**
 * Rank of each part of `kernel/`: a file may import from the same or a lower rank. The longest path
 * counts; in every feature, `calls/` (its system calls, rows and flags) has the rank of
 * `syscalls/`.
 */
const KERNEL_RANK: Record<string, number> = {
  core: 0,
  bpf: 0,
  "bpf/bpf_program_file.ts": 3,
  mm: 1,
  time: 1,
  cred: 1,
  userfault: 1,
  "userfault/userfault_ioctl.ts": 3,
  "userfault/userfault_file.ts": 4,
  "landlock/domain.ts": 1,
  "landlock/file_access.ts": 2,
  vfs: 2,
  fs: 3,
  epoll: 3,
  ipc: 3,
  keys: 3,
  net: 3,
  loader: 3,
  "cgroup/fs": 3,
  "proc/fs": 3,
  task: 4,
  aio: 4,
  cgroup: 4,
  fanotify: 4,
  futex: 4,
  job: 4,
  oom: 4,
  proc: 4,
  ptrace: 4,
  seccomp: 4,
  signal: 4,
  syscalls: 5,
  "uring/registered_rings.ts": 4,
  uring: 5,
  observe: 5,
  // Places of their own: they import classes from everywhere, and the loop their neighbours.
  "snapshot/anchors": 6,
  "snapshot/rules": 6,
  "snapshot/state_table.ts": 6,
  "snapshot/held_snapshot.ts": 6,
  "snapshot/world_image.ts": 6,
};
const CALLS_RANK = 5;
/** `kernel/*.ts` and whatever has no rank stand above all. */
const KERNEL_TOP = 6;

/** Files of `kernel/` that the command line imports: no code of a running kernel. */
const COMMAND_LINE_KERNEL = /^kernel\/(core\/|seccomp\/oci_filter\.ts$)/;

/**
 * What each folder of `oci/` may import, besides itself and `oci/*.ts`. The command line runs
 * `cli`, `options`, `container`, `launch`, `spec`, `state` and `install`; the boot process runs
 * `boot`; both have `protocol`, `host` and `proxy`. The longest path counts.
 */
const OCI_IMPORTS: Record<string, readonly string[]> = {
  boot: ["protocol", "host", "proxy"],
  cli: ["options", "container", "install", "launch", "spec", "state", "protocol", "host", "proxy"],
  "cli/verbs/boot.ts": ["boot"],
  container: ["options", "launch", "spec", "state", "protocol", "host", "proxy"],
  host: [],
  install: [],
  launch: ["spec", "state", "protocol", "host", "proxy"],
  library: ["protocol"],
  options: ["state"],
  "parts.ts": ["options"],
  protocol: [],
  proxy: ["protocol", "host"],
  spec: ["protocol"],
  state: ["spec"],
};
/** Files of `oci/` that the boot process runs: the boot process and the verbs of its part. */
const KERNEL_PART = /^oci\/(boot\/|cli\/verbs\/(boot|doctor|syscalls)\.ts$)/;

/** The package names that code may import by name; everything else is a relative path. */
const PACKAGES = /^@std\/(assert|cli|encoding|path)$/;

/** Files that Node and Bun run too. They import each other, and modules of Node. */
const PORTABLE = /^oci\/((library|protocol\/session)\/|closest_name\.ts$)/;

/** Whether a file has to run in Node and Bun, without a package. */
export function isPortable(file: string): boolean {
  return PORTABLE.test(file) && !isTestCode(file);
}

/** Whether a file may import anything, as only test runs load it. */
export function isTestCode(file: string): boolean {
  return file.startsWith("tests/") ||
    /(^|[/_])(test|testing|conformance)\.ts$|\/(conformance|testing)\//.test(file);
}

/** The longest path in `table` that leads to a file, whose path in its top folder is `parts`. */
function rowOf(table: Readonly<Record<string, unknown>>, parts: readonly string[]): string | null {
  for (let count = parts.length; count > 0; count--) {
    const path = parts.slice(0, count).join("/");
    if (Object.hasOwn(table, path)) return path;
  }
  return null;
}

/** Whether a file of `kernel/` is in the `calls/` of a feature. */
function isInCalls(parts: readonly string[]): boolean {
  return parts.slice(1, -1).includes("calls");
}

function kernelRank(file: string): number {
  const parts = file.split("/").slice(1);
  if (isInCalls(parts)) return CALLS_RANK;
  return KERNEL_RANK[rowOf(KERNEL_RANK, parts) ?? ""] ?? KERNEL_TOP;
}

/**
 * The place of a file, as fine as these tables are; a folder ends in `/`. Files of `oci/` and
 * `tools/` that are in no folder are programs and what they share: each is a place.
 */
export function placeOf(file: string): string {
  const [top = "", ...parts] = file.split("/");
  if (top === "kernel" && isInCalls(parts)) return file.replace(/\/calls\/.*/, "/calls/");
  const row = rowOf(top === "kernel" ? KERNEL_RANK : top === "oci" ? OCI_IMPORTS : {}, parts);
  if (row !== null) return `${top}/${row}${row.endsWith(".ts") ? "" : "/"}`;
  if (parts.length > 1) return `${top}/${parts[0]}/`;
  return parts.length === 0 || top === "oci" || top === "tools" ? file : `${top}/*.ts`;
}

/** Whether `file` of `oci/` must not import `target`. */
function isWrongInOci(file: string, target: string, isTypeOnly: boolean): boolean {
  if (target.startsWith("kernel/")) {
    return !isTypeOnly && !KERNEL_PART.test(file) && !COMMAND_LINE_KERNEL.test(target);
  }
  const [, from = "", ...rest] = file.split("/"), [, to = "", ...inside] = target.split("/");
  if (!target.startsWith("oci/") || inside.length === 0 || from === to) return false;
  const row = rowOf(OCI_IMPORTS, [from, ...rest]) ?? "";
  return !(OCI_IMPORTS[row] ?? []).includes(to);
}

/** The path that `specifier` in `file` names; both relative to the root. Null above the root. */
function resolveImport(file: string, specifier: string): string | null {
  const parts = file.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return null;
  }
  return parts.join("/");
}

/**
 * What is wrong with an import of `specifier` in `file` (relative to the root), or null.
 * What only types are imported of may be code of a running kernel in the command line: types leave
 * no trace at run time.
 */
export function importProblem(file: string, specifier: string, isTypeOnly: boolean): string | null {
  if (isTestCode(file)) return null;
  if (!specifier.startsWith(".")) {
    if (file.startsWith("tools/")) return null;
    if (isPortable(file)) {
      return specifier.startsWith("node:")
        ? null
        : `"${specifier}" in code that runs in Node and Bun: it may import node: modules alone`;
    }
    if (specifier === "@std/assert") return "@std/assert is for tests only";
    return PACKAGES.test(specifier) ? null : `"${specifier}" is no package that dvisor may import`;
  }
  const target = resolveImport(file, specifier);
  if (target === null) return `"${specifier}" leaves the project`;
  const from = file.split("/")[0] ?? "";
  const to = target.split("/")[0] ?? "";
  if (isPortable(file) && !isPortable(target)) {
    return `${file} must not import ${target}, which does not run in Node and Bun`;
  }
  const allowed = ALLOWED[from];
  if (allowed === undefined) return null;
  if (isTestCode(target)) return `"${target}" is for tests only`;
  if (from === "oci" && isWrongInOci(file, target, isTypeOnly)) {
    return `${file} must not import ${target}: another process runs it, or it stands above`;
  }
  if (from !== to) {
    if (allowed.some((a) => a.endsWith("/") ? target.startsWith(a) : target === a)) return null;
    const may = allowed.length === 0 ? "nothing else" : allowed.join(", ");
    return `${from} must not import ${target}: it may import itself and ${may}`;
  }
  if (from !== "kernel" || kernelRank(target) <= kernelRank(file)) return null;
  return `${file} must not import ${target}, which stands above it`;
}
