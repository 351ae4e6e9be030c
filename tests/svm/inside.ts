/**
 * What `main.ts` runs in the machine: the tests of the kvm platform, then guest scripts and real
 * programs on it, each of which must do what it does without dvisor on the same machine. Prints a
 * line for each, then `N passed, N failed, N skipped`.
 */

import { ROOT } from "../../tools/host_check.ts";
import { selectFiles, testFiles } from "../../tools/test/files.ts";
import { runFile } from "../../tools/test/run_file.ts";
import { runScript } from "../guest/scripts.ts";
import { describe, doCommand, run } from "../harness/dvisor.ts";
import { lacks } from "../harness/machine.ts";
import { environment, programs } from "../real/programs.ts";

/** LIMIT: seconds for a file of tests, for a program. */
const FILE_TIMEOUT_S = 600, PROGRAM_TIMEOUT_S = 300;
/** Smaller numbers of cases for the fuzzers. */
const SAMPLE = { DVISOR_PROGRAMS: "1500", DVISOR_STEPS: "500" };
/** The last lines of the kernel's log that are shown of a program that fails. */
const LOG_LINES = 40;
/** How much slower this machine is than one that is not translated. */
const SLOWNESS = 3;

const FILES = selectFiles(testFiles(ROOT), ["platform/kvm/"]);

const SCRIPTS = ["memory", "faults", "signals", "pipes"];

const PROGRAMS = ["bash", "busybox", "sqlite", "python"];

const counts = { ok: 0, FAILED: 0, skipped: 0 };

function tell(verdict: keyof typeof counts, what: string, why = ""): void {
  counts[verdict]++;
  console.log(`${verdict} ${what}${why === "" ? "" : `: ${why}`}`);
}

async function testFile(file: string): Promise<void> {
  const options = { root: ROOT, timeoutS: FILE_TIMEOUT_S, env: SAMPLE };
  const { outcomes, output, elapsedMs } = await runFile(file, options);
  const verdicts = { passed: "ok", failed: "FAILED", skipped: "skipped" } as const;
  for (const { name, status } of outcomes) tell(verdicts[status], `${file}: ${name}`);
  if (outcomes.some(({ status }) => status === "failed")) console.log(output.trimEnd());
  console.log(`(${file}: ${Math.round(elapsedMs)} ms)`);
}

/** A case that fails without dvisor as well, on a machine as slow as this one, judges nothing. */
async function testScript(script: string): Promise<void> {
  const start = performance.now();
  const { cases, problem } = await runScript(doCommand("kvm", "--pids=max"), script, SLOWNESS);
  const isBad = problem !== null || cases.some(({ verdict }) => verdict === "FAIL");
  const native = isBad ? await runScript([], script, SLOWNESS) : null;
  const passes = (name: string) =>
    native === null || native.cases.some((c) => c.name === name && c.verdict === "ok");
  for (const { name, verdict, why } of cases) {
    const what = `guest ${script}.${name}`;
    if (verdict === "ok") tell("ok", what);
    else if (verdict === "skip") tell("skipped", what, why);
    else if (passes(name)) tell("FAILED", what, why);
    else tell("skipped", what, `fails without dvisor too: ${why}`);
  }
  if (problem !== null) tell(native?.problem ? "skipped" : "FAILED", `guest ${script}`, problem);
  console.log(`(guest ${script}: ${Math.round(performance.now() - start)} ms)`);
}

async function testProgram(name: string): Promise<void> {
  const start = performance.now(), what = `program ${name}`;
  const program = programs().find((p) => p.name === name);
  if (program === undefined) return tell("FAILED", what, "there is no such script");
  const missing = lacks(program.needs);
  if (missing !== null) return tell("skipped", what, missing);
  const work = await Deno.makeTempDir({ prefix: "dvisor-real-" });
  const log = await Deno.makeTempFile({ prefix: "dvisor-log-" });
  const env = { ...environment(work), HOME: Deno.env.get("HOME") ?? "/" };
  const options = { timeoutS: PROGRAM_TIMEOUT_S, env, clearEnv: true };
  const command = ["env", `HOME=${work}`, "bash", program.path];
  const inside = await run(
    [...doCommand("kvm", "--pids=max", "--env-all", "--debug-log", log), ...command],
    options,
  );
  const native = await run(command, options);
  const isSame = inside.code === native.code && inside.stdout === native.stdout;
  if (native.isOverdue) tell("skipped", what, "takes too long without dvisor too");
  else if (isSame) tell("ok", what);
  else {
    const logged = (await Deno.readTextFile(log)).split("\n").slice(-LOG_LINES).join("\n");
    const parts = [describe(inside), "--- log", logged, "--- native", describe(native)];
    tell("FAILED", what, parts.join("\n"));
  }
  await Deno.remove(work, { recursive: true });
  await Deno.remove(log);
  console.log(`(${what}: ${Math.round(performance.now() - start)} ms)`);
}

/** The log of the kernel that ran all this has no warning. */
async function testKernel(): Promise<void> {
  const { stdout } = await run(["dmesg"]);
  const bad = stdout.split("\n").filter((line) =>
    /BUG:|WARNING:|Oops|kvm.*(error|fail)/.test(line)
  );
  if (bad.length === 0) tell("ok", "the host's kernel has nothing to say");
  else tell("FAILED", "the host's kernel has nothing to say", bad.join("\n"));
}

const isWanted = (name: string) =>
  Deno.args.length === 0 || Deno.args.some((w) => name.includes(w));
for (const file of FILES) if (isWanted(file)) await testFile(file);
for (const script of SCRIPTS) if (isWanted(`guest ${script}`)) await testScript(script);
for (const name of PROGRAMS) if (isWanted(`program ${name}`)) await testProgram(name);
await testKernel();
console.log(`${counts.ok} passed, ${counts.FAILED} failed, ${counts.skipped} skipped`);
