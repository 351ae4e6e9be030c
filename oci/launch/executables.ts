/**
 * The executables that the launcher starts: this one again, as `dvisor boot` and as the file
 * server.
 *
 * From a source tree both are `deno run` of the sources, for development only. Neighbours:
 * sentry_process.ts and gofer_process.ts execute them.
 */

import { fromFileUrl } from "@std/path";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "../../ffi/abi/fcntl.ts";
import { Stat } from "../../ffi/abi/stat.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import { fstat, openat } from "../../ffi/sys/files.ts";
import { UserError } from "../user_error.ts";
import { heapBytesFor, objectBytesMax } from "../../kernel/core/kernel_heap.ts";

export interface Program {
  /** Open executable, close-on-exec. */
  readonly fd: number;
  /** The first arguments: the program's name, and with sources the runtime's options. */
  readonly argv: readonly string[];
  readonly env: readonly string[];
  /** Every user may read and execute it, so it may run as another user. */
  readonly isPublic: boolean;
}

/**
 * One malloc arena for all threads: memory in arenas of V8's compiler threads (2 to 4 MB) is never
 * given back.
 */
const ENVIRONMENT = ["MALLOC_ARENA_MAX=1"];
/** Variables of the caller that `deno run` needs. */
const DENO_VARIABLES = ["HOME", "DENO_DIR", "PATH", "XDG_CACHE_HOME"];

/** Permission of other users to read and execute. */
const S_IROTH_IXOTH = 0o005;

/** The root of the sources if this process runs from them, else null. */
function sourceRoot(): string | null {
  if (Deno.build.standalone || !Deno.mainModule.startsWith("file:")) return null;
  return Deno.mainModule.endsWith(".ts") ? fromFileUrl(new URL("../../", import.meta.url)) : null;
}

function openProgram(path: string, argv: readonly string[], env: readonly string[]): Program {
  const fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw new UserError(`cannot execute ${path}: ${errnoName(fd)}`);
  const isKnown = fstat(fd, scratch.area(0)) === 0;
  const mode = scratch.dv.getUint32(scratch.areaOffset(0) + Stat.at.mode, true);
  const isPublic = isKnown && (mode & S_IROTH_IXOTH) === S_IROTH_IXOTH;
  return { fd, argv, env, isPublic };
}

/**
 * The runtime takes further flags of V8 from this variable. A binary on the home-made base drops it
 * from its caller's environment, and has what stands behind PASSED (tools/build/entry_stub.ts).
 */
const V8_VARIABLE = "DENO_V8_FLAGS", PASSED = "DVISOR__";

function sourceProgram(entry: string, v8Flags: readonly string[]): Program {
  const env: string[] = [];
  for (const name of DENO_VARIABLES) {
    const value = Deno.env.get(name);
    if (value !== undefined) env.push(`${name}=${value}`);
  }
  const v8 = ["--no-enable-lazy-source-positions", "--expose-gc", ...v8Flags];
  const argv = ["deno", "run", "-A", "--no-lock", `--v8-flags=${v8.join(",")}`, entry];
  // Sources and the runtime's cache may be readable for this user only.
  return { ...openProgram(Deno.execPath(), argv, env), isPublic: false };
}

/**
 * This program, with a flag of V8 for the size of its heap. From sources it is the main module of
 * this process: oci/main.ts, or a test's.
 */
export function sentryProgram(heapFlag: string): Program {
  const variable = `${V8_VARIABLE}=${heapFlag}`;
  if (sourceRoot() !== null) return sourceProgram(fromFileUrl(Deno.mainModule), [heapFlag]);
  const env = [...ENVIRONMENT, variable, PASSED + variable];
  return openProgram("/proc/self/exe", ["dvisor"], env);
}

/** The file server: this program too, which its verb chooses (parts.ts). */
export function goferProgram(): Program {
  const root = sourceRoot();
  if (root !== null) return sourceProgram(`${root}gofer/main.ts`, []);
  return openProgram("/proc/self/exe", ["dvisor-gofer"], ENVIRONMENT);
}

/**
 * V8's flag for the size of the Sentry's heap, by the sandbox's memory limit and the machine's
 * memory. V8 reads the flag when it starts. Compiled code of another size is accepted.
 */
export function heapFlag(memoryBytes: number, machineBytes: number): string {
  const bytes = heapBytesFor(objectBytesMax(memoryBytes, machineBytes));
  return `--max-old-space-size=${Math.ceil(bytes / 2 ** 20)}`;
}
