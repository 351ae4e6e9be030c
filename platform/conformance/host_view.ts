/**
 * What the host shows of this process and its stubs. Tests find the stub of a guest with it, and
 * check that nothing is left behind.
 *
 * Source: proc(5).
 */

/** Host pids of all processes below this one. */
export function descendants(): Set<number> {
  const parents = new Map<number, number>();
  for (const entry of Deno.readDirSync("/proc")) {
    const pid = Number(entry.name);
    if (!Number.isInteger(pid)) continue;
    const stat = readText(`/proc/${pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    parents.set(pid, Number(fields[1] ?? 0));
  }
  const found = new Set<number>();
  for (const pid of parents.keys()) {
    for (let p = parents.get(pid) ?? 0; p > 0; p = parents.get(p) ?? 0) {
      if (p === Deno.pid) found.add(pid);
    }
  }
  return found;
}

/** Pids of the stubs that have something mapped at this guest address. */
export function stubsWithMapping(addr: number): number[] {
  const prefix = `${addr.toString(16).padStart(8, "0")}-`;
  const isThere = (pid: number) =>
    readText(`/proc/${pid}/maps`).split("\n").some((line) => line.startsWith(prefix));
  return [...descendants()].filter(isThere);
}

/**
 * Whether a signal has stopped all threads of a process. kill(2) returns before they have stopped.
 */
export function isStopped(pid: number): boolean {
  const threads = [...Deno.readDirSync(`/proc/${pid}/task`)];
  return threads.every(({ name }) =>
    readText(`/proc/${pid}/task/${name}/status`).includes("T (stopped)")
  );
}

export function openFiles(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

/** Lines of /proc/self/maps: how many mappings this process has. */
export function ownMappings(): number {
  return readText("/proc/self/maps").split("\n").length;
}

/** The text of a file of /proc; empty if the file is gone. */
function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/**
 * Whether qemu translates the processor. It differs from hardware: an instruction that reads and
 * then writes an absent page is reported as a read, and invd and wbinvd are not refused.
 */
export const isTranslated: boolean = readText("/proc/cpuinfo").includes("QEMU TCG");
