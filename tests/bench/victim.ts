/**
 * `deno task bench:victim`: each attack of `victim/*_attacks.py` by one user beside a victim that
 * is another, in one sandbox. The victim makes a call every millisecond; a line says how much
 * longer than that it waited: mean and worst, before the attack (quiet) and during it.
 *
 *     deno task bench:victim [--runner=systrap|kvm|ptrace|native] [--seconds=N] [--list] [NAME...]
 */

import { parseArgs } from "@std/cli";
import { fromFileUrl } from "@std/path";
import { type Runner, runners } from "./runners.ts";

/** What a victim may have to wait at worst, and on average as a multiple of its quiet mean. */
const WORST_MS = 20, MEAN_FACTOR = 3;
/** LIMIT: no attack runs longer, in seconds. */
const TIMEOUT_S = "180";

interface Figures {
  readonly calls: number;
  readonly mean_us: number;
  readonly p99_us: number;
  readonly worst_ms: number;
}

interface Finding {
  readonly attack: string;
  readonly status: number;
  readonly rounds: number;
  readonly setup_ms: number;
  readonly quiet: Figures;
  readonly loud: Figures | null;
}

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const PROGRAM = `${ROOT}tests/bench/victim/beside.py`;
const PYTHON = ["/usr/bin/python3", "-B", PROGRAM];

function run(runner: Runner, args: readonly string[]): string | null {
  const argv = ["timeout", "-k", "5", TIMEOUT_S, ...runner.prefix, ...PYTHON, ...args];
  const { success, stdout, stderr } = new Deno.Command(argv[0]!, {
    args: argv.slice(1),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).outputSync();
  if (success) return new TextDecoder().decode(stdout);
  console.error(new TextDecoder().decode(stderr).trim().split("\n").at(-1));
  return null;
}

function lineOf({ attack, status, rounds, quiet, loud }: Finding): string {
  const name = attack.padEnd(34);
  if (loud === null || status !== 0) return `${name} failed (status ${status})`;
  const isFair = loud.worst_ms <= WORST_MS && loud.mean_us <= MEAN_FACTOR * quiet.mean_us;
  const numbers = [
    loud.worst_ms.toFixed(1),
    quiet.worst_ms.toFixed(1),
    loud.p99_us.toFixed(0),
    loud.mean_us.toFixed(0),
    quiet.mean_us.toFixed(0),
    String(rounds),
  ];
  return name + numbers.map((n) => n.padStart(10)).join("") + (isFair ? "" : "  *");
}

function main(): void {
  const flags = parseArgs(Deno.args, { string: ["runner", "seconds"], boolean: ["list"] });
  const stateDir = Deno.makeTempDirSync();
  try {
    const all = runners(ROOT, stateDir), wanted = flags.runner ?? "systrap";
    const runner = all.find(({ name }) => name === wanted);
    if (runner === undefined) throw new Error(`--runner: expected ${all.map((r) => r.name)}`);
    const names = run(all[0]!, ["--names"])?.trim().split("\n") ?? [];
    if (flags.list) return console.log(names.join("\n"));
    const chosen = flags._.length === 0 ? names : flags._.map(String);
    const heads = ["worst ms", "(quiet)", "p99 us", "mean us", "(quiet)", "rounds"];
    console.log(`${runner.name}`.padEnd(34) + heads.map((h) => h.padStart(10)).join(""));
    for (const name of chosen) {
      const text = run(runner, [name, flags.seconds ?? "2"]);
      console.log(text === null ? `${name.padEnd(34)} failed` : lineOf(JSON.parse(text)));
    }
  } finally {
    Deno.removeSync(stateDir, { recursive: true });
  }
}

if (import.meta.main) main();
