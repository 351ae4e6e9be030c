/**
 * Real programs: every script of `programs/` must print the same, byte for byte, and end with the
 * same exit code in the sandbox as on this machine; and nothing that it writes may reach the host.
 *
 * Neighbours: `programs.ts` finds the scripts, `soak_test.ts` runs them for a long time.
 */

import { assertEquals } from "@std/assert";
import {
  describe,
  doCommand,
  PLATFORM,
  type PlatformName,
  platforms,
  run,
} from "../harness/dvisor.ts";
import { isFull, isRoot, lacks, named, noKvm } from "../harness/machine.ts";
import { environment, type Program, programs, SOURCES } from "./programs.ts";

const APART = ["bash", `${SOURCES}/lib/apart.sh`];

/** LIMIT: seconds for one script. */
const TIMEOUT_S = isFull ? 1200 : 240;

/** Why nothing can run apart here; null when it can. */
function noApart(): string | null {
  if (!isRoot) return "needs root";
  const { success } = new Deno.Command(APART[0]!, {
    args: [...APART.slice(1), "true"],
    env: environment("/tmp"),
    clearEnv: true,
    stdout: "null",
    stderr: "null",
  }).outputSync();
  return success ? null : "no copy of the root file system can be made here";
}

/** Asked once, and only where a script wants it. */
let apart: string | null | undefined;

function whyNot(program: Program, platform: PlatformName): string | null {
  const missing = lacks(program.needs);
  if (missing !== null) return missing;
  if (program.isLong && !isFull) return "long; runs in test:full";
  if (platform !== PLATFORM && program.isSlow && !isFull) {
    return `slow on ${platform}; runs in test:full`;
  }
  if (platform === "kvm" && noKvm !== null) return noKvm;
  if (!program.isApart) return null;
  if (apart === undefined) apart = noApart();
  return apart;
}

function firstDifference(a: string, b: string): string {
  const left = a.split("\n"), right = b.split("\n");
  const at = left.findIndex((line, i) => line !== right[i]);
  const i = at < 0 ? left.length : at;
  return `line ${i + 1}: native "${left[i] ?? "(end)"}", sandbox "${right[i] ?? "(end)"}"`;
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** Options that show compilers which live in the caller's home. */
function toolchains(): string[] {
  const home = Deno.env.get("HOME") ?? "/";
  const names = [".cargo", ".rustup"].filter((name) => isThere(`${home}/${name}`));
  return names.map((name) => `--show=${home}/${name}`);
}

async function compare(program: Program, platform: PlatformName): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "dvisor-real-" });
  try {
    const command = ["env", `HOME=${work}`, "bash", program.path];
    const env = { ...environment(work), HOME: Deno.env.get("HOME") ?? "/" };
    const options = { timeoutS: TIMEOUT_S, env, clearEnv: true };
    // All variables are the test's own.
    const shown = [...doCommand(platform, "--env-all", ...toolchains()), ...command];
    const inside = await run(shown, options);
    assertEquals([...Deno.readDirSync(work)].map((e) => e.name), [], "writes reached the host");
    const native = await run(program.isApart ? [...APART, ...command] : command, options);
    assertEquals(inside.isOverdue, false, `in the sandbox: ${describe(inside)}`);
    assertEquals(inside.code, native.code, `in the sandbox: ${describe(inside)}`);
    if (inside.stdout !== native.stdout) {
      throw new Error(`${firstDifference(native.stdout, inside.stdout)}\n${inside.stderr}`);
    }
    assertEquals(native.stdout.length > 0, true, "the program printed nothing at all");
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

for (const program of programs()) {
  for (const platform of platforms("systrap", "ptrace", "kvm")) {
    Deno.test({
      ...named(`${platform}: ${program.name}`, whyNot(program, platform)),
      fn: () => compare(program, platform),
    });
  }
}
