/**
 * `deno task test`: installs what the tests run, builds when the binaries are missing or old, runs
 * every test file, and prints `N passed, N failed, N skipped` as its last line. The numbers come
 * from the reports of tests that really ran; a step counts as a test.
 *
 *     deno task test [PATH_PREFIX...]     all tests, or those below the given paths
 *     deno task test:native               tests/guest on the host itself (DVISOR_NATIVE=1)
 *     deno task test:full                 with the long corpora (DVISOR_FULL=1)
 *
 * Neighbours: `files.ts`, `packages.ts`, `run_file.ts`, `../build/main.ts`.
 */

import { parseArgs } from "@std/cli";
import { ensureBuilt } from "../build/ensure.ts";
import { requireHost, ROOT } from "../host_check.ts";
import { refuseOthers } from "../options.ts";
import { isUnitTest, selectFiles, testFiles } from "./files.ts";
import { installNeeds } from "./packages.ts";
import { type FileResult, runFile, type RunOptions } from "./run_file.ts";

/** LIMIT: a test file ends within this time; the guest tests take half of it on two busy cores. */
const TIMEOUT_S = 1200;
const TIMEOUT_FULL_S = 7200;

interface Totals {
  passed: number;
  failed: number;
  readonly skipped: string[];
  readonly failures: string[];
}

function report(result: FileResult, totals: Totals): void {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { name, status } of result.outcomes) {
    counts[status]++;
    if (status === "failed") totals.failures.push(`${result.file}: ${name}`);
    if (status === "skipped") totals.skipped.push(`${result.file}: ${name}`);
  }
  totals.passed += counts.passed;
  totals.failed += counts.failed;
  const skips = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
  const ms = Math.round(result.elapsedMs);
  const word = counts.failed > 0 ? "FAILED" : "ok";
  console.log(
    `${word} ${result.file}: ${counts.passed} passed, ${counts.failed} failed${skips} (${ms} ms)`,
  );
  if (counts.failed > 0) console.log(result.output.trimEnd());
}

async function runAll(files: readonly string[], options: RunOptions): Promise<Totals> {
  const totals: Totals = { passed: 0, failed: 0, skipped: [], failures: [] };
  const units = files.filter(isUnitTest);
  const workers = Array.from({ length: navigator.hardwareConcurrency }, async () => {
    for (let file = units.shift(); file !== undefined; file = units.shift()) {
      report(await runFile(file, options), totals);
    }
  });
  await Promise.all(workers);
  for (const file of files) {
    if (!isUnitTest(file)) report(await runFile(file, options), totals);
  }
  return totals;
}

function printList(title: string, names: readonly string[]): void {
  if (names.length === 0) return;
  console.log(`\n${title}:`);
  for (const name of names) console.log(`  ${name}`);
}

async function main(): Promise<number> {
  requireHost();
  const args = parseArgs(Deno.args, {
    boolean: ["native", "full"],
    string: ["_"],
    unknown: refuseOthers("deno task test [--native] [--full] [PREFIX...]"),
  });
  const prefixes = args.native ? ["tests/guest/"] : args._.map(String);
  await installNeeds();
  const isBuilt = args.native || await ensureBuilt(ROOT);
  if (!isBuilt) console.log("FAILED build: see above; tests of the binaries will fail too");
  const env: Record<string, string> = {};
  if (args.native) env.DVISOR_NATIVE = "1";
  if (args.full) env.DVISOR_FULL = "1";
  const timeoutS = args.full ? TIMEOUT_FULL_S : TIMEOUT_S;
  const files = selectFiles(testFiles(ROOT), prefixes);
  if (files.length === 0) console.log(`No test file matches ${prefixes.join(" ")}`);
  const totals = await runAll(files, { root: ROOT, timeoutS, env });
  if (!isBuilt) totals.failures.push("(build)");
  printList("Skipped", totals.skipped);
  printList("Failed", totals.failures);
  const failed = totals.failures.length;
  console.log(`\n${totals.passed} passed, ${failed} failed, ${totals.skipped.length} skipped`);
  return failed > 0 || totals.passed === 0 ? 1 : 0;
}

Deno.exit(await main());
