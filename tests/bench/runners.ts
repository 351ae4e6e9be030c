/**
 * The systems that a benchmark compares: how each runs a command. Standard output is always a pipe.
 */

import { join } from "@std/path";

export interface Runner {
  readonly name: string;
  /** The command line in front of the benchmarked command. */
  readonly prefix: readonly string[];
}

interface Finished {
  readonly code: number;
  readonly stdout: Uint8Array<ArrayBuffer>;
  readonly ms: number;
}

/**
 * Native, dvisor on its platforms, and runsc where it is installed: on kvm only where the host has
 * it. `before` is another build's binary, which is measured on systrap.
 */
export function runners(root: string, stateDir: string, before?: string): Runner[] {
  const dvisor = join(root, "dist", "dvisor");
  const all: Runner[] = [{ name: "native", prefix: [] }];
  if (before !== undefined) {
    all.push({ name: "before", prefix: [before, "do", "--platform=systrap", "--"] });
  }
  // As the other systems, with all that the caller has.
  const own = (platform: string) => {
    return [dvisor, "do", `--platform=${platform}`, "--pids=max", "--home", "--env-all", "--"];
  };
  all.push(
    { name: "systrap", prefix: own("systrap") },
    { name: "ptrace", prefix: own("ptrace") },
  );
  const hasKvm = exists("/dev/kvm");
  if (hasKvm) all.push({ name: "kvm", prefix: own("kvm") });
  if (!hasCommand("runsc")) return all;
  const runsc = (platform: string) => [
    "runsc",
    "--network=none",
    "--ignore-cgroups",
    `--platform=${platform}`,
    "--root",
    stateDir,
    "do",
  ];
  all.push({ name: "runsc", prefix: runsc("systrap") });
  if (hasKvm && starts(runsc("kvm"))) all.push({ name: "runsc kvm", prefix: runsc("kvm") });
  return all;
}

function starts(prefix: readonly string[]): boolean {
  const argv = ["timeout", "-k", "1", "5", ...prefix, "true"];
  const output = { stdin: "null", stdout: "null", stderr: "null" } as const;
  return new Deno.Command(argv[0]!, { args: argv.slice(1), ...output }).outputSync().success;
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function hasCommand(name: string): boolean {
  for (const dir of (Deno.env.get("PATH") ?? "").split(":")) {
    try {
      if (Deno.statSync(join(dir, name)).isFile) return true;
    } catch {
      // not there
    }
  }
  return false;
}

/** LIMIT: no command runs longer, in seconds. */
const TIMEOUT_S = "120";

export async function run(runner: Runner, command: readonly string[]): Promise<Finished> {
  const argv = ["timeout", "-k", "5", TIMEOUT_S, ...runner.prefix, ...command];
  const start = performance.now();
  const { code, stdout } = await new Deno.Command(argv[0]!, {
    args: argv.slice(1),
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  return { code, stdout: new Uint8Array(stdout), ms: performance.now() - start };
}

/** The middle value; NaN when there are none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].filter((v) => !Number.isNaN(v)).sort((a, b) => a - b);
  return sorted.length === 0 ? NaN : sorted[Math.floor(sorted.length / 2)]!;
}
