/**
 * `deno task fuzz`: every fuzzer of the project, one after the other, each for its part of the
 * time. The exit code is 1 when one of them finds something, which is printed with the seed.
 *
 *     deno task fuzz [--hours N] [--target NAME]... [--seed N]
 *
 * docs/fuzzing.md says what the targets do and what they found.
 */

import { parseArgs } from "@std/cli";
import { ROOT } from "../harness/dvisor.ts";
import { refuseOthers } from "../../tools/options.ts";

const CORPUS = `${ROOT}/tests/fuzz/corpus`;
const DEFAULT_HOURS = 0.25;

interface Target {
  readonly name: string;
  readonly about: string;
  /** Arguments of `deno`. */
  command(seconds: number, seed: number): string[];
}

function testOf(name: string, about: string, file: string): Target {
  return { name, about, command: () => ["test", "-A", "--no-check", `${ROOT}/${file}`] };
}

const TARGETS: readonly Target[] = [
  {
    name: "kernel",
    about: "programs of calls of two users in two containers, guided by coverage",
    command: (seconds, seed) => {
      const time = [`--seconds=${seconds}`, `--seed=${seed}`, `--corpus=${CORPUS}/kernel`];
      return ["run", "-A", "--no-check", `${ROOT}/tests/fuzz/kernel/main.ts`, ...time];
    },
  },
  {
    name: "copies",
    about: "the same, with a snapshot in the middle: original and copy go on alike",
    command: (seconds, seed) => {
      const time = [`--seconds=${seconds}`, `--seed=${seed}`, `--corpus=${CORPUS}/copies`];
      const main = `${ROOT}/tests/fuzz/kernel/main.ts`;
      return ["run", "-A", "--no-check", main, "--copies", ...time];
    },
  },
  testOf("calls", "random calls of guests", "tests/fuzz/syscall_fuzz_test.ts"),
  testOf("netlink", "random messages of netlink", "tests/fuzz/netlink_fuzz_test.ts"),
  testOf("io_uring", "random requests of rings", "tests/fuzz/io_uring_fuzz_test.ts"),
  testOf("bpf", "random programs of BPF", "tests/fuzz/bpf_fuzz_test.ts"),
  testOf("elf", "changed programs", "tests/fuzz/elf_mutations_test.ts"),
  testOf("images", "programs, scripts and attributes of images", "tests/fuzz/images_fuzz_test.ts"),
  testOf("overlay", "layers of images", "tests/fuzz/overlay_fuzz_test.ts"),
  testOf("proc", "writes to /proc, /sys and control groups", "tests/fuzz/proc_fuzz_test.ts"),
  testOf("packets", "frames from outside", "tests/fuzz/packets_fuzz_test.ts"),
  testOf("control", "broken requests to a sandbox", "tests/fuzz/control_fuzz_test.ts"),
  testOf("session", "frames and messages of session clients", "tests/fuzz/session_fuzz_test.ts"),
  testOf("graph", "graphs of snapshots and their images", "tests/fuzz/graph_fuzz_test.ts"),
  testOf("sentry", "broken answers of a sandbox", "tests/hostile/broken_sentry_test.ts"),
  testOf("9p", "broken messages to the Gofer and from it", "tests/gofer/fuzz_test.ts"),
  testOf("config", "changed config.json files", "tests/oci/config_fuzz_test.ts"),
  testOf("mounts", "changed mounts of bundles", "tests/oci/mount_fuzz_test.ts"),
];

async function runTarget(target: Target, seconds: number, seed: number): Promise<boolean> {
  console.log(`\n== ${target.name}: ${target.about}; ${seconds} s, seed ${seed}`);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: target.command(seconds, seed),
    env: { DVISOR_SEED: `${seed}`, DVISOR_FUZZ_SECONDS: `${seconds}` },
    stdin: "null",
  }).spawn().status;
  console.log(`== ${target.name}: ${success ? "nothing found" : "FAILED"}`);
  return success;
}

async function main(): Promise<number> {
  const args = parseArgs(Deno.args, {
    string: ["hours", "target", "seed"],
    collect: ["target"],
    unknown: refuseOthers("deno task fuzz [--hours N] [--target NAME]... [--seed N]"),
  });
  const hours = Number(args.hours ?? DEFAULT_HOURS),
    seed = Number(args.seed ?? Date.now() % 2 ** 31);
  if (!(hours > 0) || !Number.isInteger(seed)) {
    console.error("--hours takes a number above 0, --seed a whole number");
    return 2;
  }
  const names = args.target.map(String);
  const unknown = names.find((name) => !TARGETS.some((target) => target.name === name));
  if (unknown !== undefined) {
    console.error(`no target "${unknown}": ${TARGETS.map(({ name }) => name).join(", ")}`);
    return 2;
  }
  const chosen = TARGETS.filter(({ name }) => names.length === 0 || names.includes(name));
  const seconds = Math.max(1, Math.floor(hours * 3600 / chosen.length));
  const failed: string[] = [];
  for (const target of chosen) {
    if (!await runTarget(target, seconds, seed)) failed.push(target.name);
  }
  console.log(failed.length === 0 ? "\nnothing found" : `\nfailed: ${failed.join(", ")}`);
  return failed.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
