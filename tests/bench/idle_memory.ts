/** Memory of an idle sandbox: the proportional set size of every process that starting one made. */

import type { Runner } from "./runners.ts";

const SETTLE_MS = 1500;

/**
 * KiB of `sleep` in a sandbox: the started process and all its descendants. NaN when it did not
 * stay up.
 */
export async function idleMemoryKiB(runner: Runner): Promise<number> {
  const argv = [...runner.prefix, "sleep", "1000"];
  const child = new Deno.Command(argv[0]!, {
    args: argv.slice(1),
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    await new Promise((done) => setTimeout(done, SETTLE_MS));
    const pids = descendants(child.pid);
    let sum = 0;
    for (const pid of pids) sum += pssKiB(pid);
    return sum > 0 ? sum : NaN;
  } finally {
    for (const pid of descendants(child.pid).reverse()) kill(pid);
    await child.status;
  }
}

/**
 * KiB of a container: its process with all below it, all others in its control group, and all whose
 * command line has `id` (a runtime's own processes) with all below them.
 */
export function treePssKiB(pid: number, id: string): number {
  const pids = new Set(descendants(pid));
  const group = readText(`/proc/${pid}/cgroup`), isShared = group === readText("/proc/self/cgroup");
  for (const entry of Deno.readDirSync("/proc")) {
    const other = Number(entry.name);
    if (!(other > 0) || other === Deno.pid) continue;
    const isInGroup = !isShared && readText(`/proc/${other}/cgroup`) === group;
    if (isInGroup || readText(`/proc/${other}/cmdline`).includes(id)) {
      for (const found of descendants(other)) pids.add(found);
    }
  }
  let sum = 0;
  for (const found of pids) sum += pssKiB(found);
  return sum > 0 ? sum : NaN;
}

/** `root` and everything below it, parents first. */
function descendants(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of Deno.readDirSync("/proc")) {
    const pid = Number(entry.name);
    if (!(pid > 0)) continue;
    const stat = readText(`/proc/${pid}/stat`);
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    const list = children.get(parent);
    if (list === undefined) children.set(parent, [pid]);
    else list.push(pid);
  }
  const found: number[] = [root];
  for (let i = 0; i < found.length; i++) found.push(...children.get(found[i]!) ?? []);
  return found;
}

function pssKiB(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readText(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return ""; // it ended meanwhile
  }
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // it ended meanwhile
  }
}
