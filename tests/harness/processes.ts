/**
 * The processes of one sandbox, seen from the host: found by descent, named by what they are. Not a
 * test.
 */

/** One process of a sandbox. */
export interface SandboxProcess {
  readonly pid: number;
  readonly role: "waiter" | "sentry" | "gofer" | "stub" | "other";
}

interface Entry {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
  readonly name: string;
  readonly command: string;
}

function read(pid: string): Entry | null {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    const tail = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const command = Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    return { pid: Number(pid), parent: Number(tail[1]), state: tail[0] ?? "", name, command };
  } catch (error) {
    // It ended while we looked.
    if (error instanceof Deno.errors.NotFound || /ESRCH|os error 3\b/.test(String(error))) {
      return null;
    }
    throw error;
  }
}

function table(): Entry[] {
  const out: Entry[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const entry = read(name);
    if (entry !== null && entry.state !== "Z") out.push(entry);
  }
  return out;
}

function roleOf({ name, command }: Entry): SandboxProcess["role"] {
  if (/^dvisor-(stub|zygote)/.test(name)) return "stub";
  if (/\bboot *$/.test(command)) return "sentry";
  if (/gofer(\/main\.ts)? serve /.test(command)) return "gofer";
  return /\bdo\b|\brun\b/.test(command) ? "waiter" : "other";
}

/** Those of the living that descend from `root`, and `root`. */
export function processesOf(root: number): SandboxProcess[] {
  const entries = table(), wanted = new Set([root]);
  for (let grew = true; grew;) {
    grew = false;
    for (const { pid, parent } of entries) {
      if (wanted.has(parent) && !wanted.has(pid)) {
        wanted.add(pid);
        grew = true;
      }
    }
  }
  return entries.filter((e) => wanted.has(e.pid))
    .map((entry) => ({ pid: entry.pid, role: roleOf(entry) }));
}

/** Returns those of these processes that exist and are no zombies. */
export function alive(pids: readonly number[]): number[] {
  return pids.filter((pid) => {
    const entry = read(String(pid));
    return entry !== null && entry.state !== "Z";
  });
}

/** User and system time of a process's life so far, in clock ticks. */
export function cpuTicks(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** Waits until `condition` holds; false if it did not come in time. */
export async function eventually(condition: () => boolean, timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return true;
}
