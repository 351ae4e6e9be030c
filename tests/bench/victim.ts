/**
 * `deno task bench:victim`: each attack of `victim/*_attacks.py` by one user beside a victim that
 * is another, in one sandbox. The victim makes a call every millisecond; a line says how much
 * longer than that it waited: mean and worst, before the attack (quiet) and during it.
 *
 * With `--pod` victim and attacker are two containers of a pod, the attacker is root of its own,
 * and there are more attacks (`victim/pod_attacks.py`). The line also says which of the victim's
 * ordinary calls failed; those in brackets use what a pod shares.
 *
 *     deno task bench:victim [--runner=systrap|kvm|ptrace|native] [--seconds=N] [--list] [NAME...]
 *     deno task bench:victim --pod [--runner=dvisor|runc] [--seconds=N] [--list] [NAME...]
 */

import { parseArgs } from "@std/cli";
import { fromFileUrl } from "@std/path";
import { type Runner, runners } from "./runners.ts";
import { Pod } from "./victim_pod.ts";
import { type Finding, headOf, lineOf } from "./victim_report.ts";

/** LIMIT: no attack runs longer, in seconds. */
const TIMEOUT_S = "180";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const PROGRAMS = `${ROOT}tests/bench/victim`;
const PYTHON = ["/usr/bin/python3", "-B"];

interface Options {
  readonly runner: string | undefined;
  readonly seconds: string;
  readonly isList: boolean;
  readonly names: readonly string[];
}

function run(prefix: readonly string[], program: string, ...args: string[]): string | null {
  const command = [...prefix, ...PYTHON, `${PROGRAMS}/${program}`, ...args];
  const { success, stdout, stderr } = new Deno.Command("timeout", {
    args: ["-k", "5", TIMEOUT_S, ...command],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).outputSync();
  if (success) return new TextDecoder().decode(stdout);
  console.error(new TextDecoder().decode(stderr).trim().split("\n").at(-1));
  return null;
}

function show(name: string, finding: Finding | null): void {
  console.log(finding === null ? `${name.padEnd(34)} failed` : lineOf(finding));
}

function besideUsers(all: readonly Runner[], { runner: wanted, seconds, isList, names }: Options) {
  const runner = all.find(({ name }) => name === (wanted ?? "systrap"));
  if (runner === undefined) throw new Error(`--runner: expected ${all.map((r) => r.name)}`);
  const known = run([], "beside.py", "--names")?.trim().split("\n") ?? [];
  if (isList) return console.log(known.join("\n"));
  console.log(headOf(runner.name));
  for (const name of names.length === 0 ? known : names) {
    const text = run(runner.prefix, "beside.py", name, seconds);
    show(name, text === null ? null : JSON.parse(text));
  }
}

async function besideContainers({ runner = "dvisor", seconds, isList, names }: Options) {
  if (runner !== "dvisor" && runner !== "runc") throw new Error("--runner: expected dvisor,runc");
  const lines = run([], "pod.py", "names")?.trim().split("\n") ?? [];
  const known = new Map(lines.map((line) => {
    const [name = "", shares] = line.split(" ");
    return [name, shares === "pids"];
  }));
  if (isList) return console.log([...known.keys()].join("\n"));
  console.log(headOf(`pod of ${runner}`));
  for (const name of names.length === 0 ? known.keys() : names) {
    const pod = new Pod(PROGRAMS, runner);
    show(name, await pod.run(name, seconds, known.get(name) ?? false));
  }
}

async function main(): Promise<void> {
  const flags = parseArgs(Deno.args, { string: ["runner", "seconds"], boolean: ["list", "pod"] });
  const { runner, seconds = "2", list: isList } = flags, names = flags._.map(String);
  const options = { runner, seconds, isList, names };
  if (flags.pod) return await besideContainers(options);
  const stateDir = Deno.makeTempDirSync();
  try {
    besideUsers(runners(ROOT, stateDir), options);
  } finally {
    Deno.removeSync(stateDir, { recursive: true });
  }
}

if (import.meta.main) await main();
