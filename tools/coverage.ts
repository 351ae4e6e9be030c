/**
 * `deno task coverage`: which lines of kernel/ its unit tests run, by folder, and the files of
 * which they run less than half. The numbers find code without tests; no number is a goal. Tests
 * that start sandboxes do not count.
 */

import { dirname } from "@std/path";
import { requireHost, ROOT } from "./host_check.ts";
import { selectFiles, testFiles } from "./test/files.ts";

/** Lines of a file that have code, and how many of them were run. */
interface Lines {
  readonly path: string;
  readonly total: number;
  readonly run: number;
}

/** Files are listed below this share of run lines. */
const LOW_PERCENT = 50;

function percent(lines: { readonly total: number; readonly run: number }): number {
  return lines.total === 0 ? 100 : 100 * lines.run / lines.total;
}

/** The files of an lcov report, with paths relative to `root`. */
export function parseLcov(text: string, root: string): Lines[] {
  const found: Lines[] = [];
  let path = "", total = 0, run = 0;
  for (const line of text.split("\n")) {
    if (line.startsWith("SF:")) path = line.slice(3).replace(`${root}/`, "");
    else if (line.startsWith("LF:")) total = Number(line.slice(3));
    else if (line.startsWith("LH:")) run = Number(line.slice(3));
    else if (line === "end_of_record") found.push({ path, total, run });
  }
  return found;
}

/** Sums of the files of each folder itself, sorted by path. */
export function byFolder(files: readonly Lines[]): Lines[] {
  const sums = new Map<string, Lines>();
  for (const { path, total, run } of files) {
    const folder = dirname(path), sum = sums.get(folder) ?? { path: folder, total: 0, run: 0 };
    sums.set(folder, { path: folder, total: sum.total + total, run: sum.run + run });
  }
  return [...sums.values()].sort((a, b) => a.path < b.path ? -1 : 1);
}

function row(lines: Lines): string {
  const share = `${percent(lines).toFixed(0)}%`.padStart(4);
  return `${share} ${`${lines.run}/${lines.total}`.padStart(12)}  ${lines.path}`;
}

export function report(files: readonly Lines[]): string {
  const low = files.filter((file) => percent(file) < LOW_PERCENT)
    .sort((a, b) => percent(a) - percent(b));
  const all = { path: "all", total: 0, run: 0 };
  for (const { total, run } of files) {
    all.total += total;
    all.run += run;
  }
  return [
    ...byFolder(files).map(row),
    row(all),
    `\n${low.length} files below ${LOW_PERCENT}%:`,
    ...low.map(row),
  ].join("\n");
}

/** A test file that loads every file of the kernel, so that those without a test count too. */
function loadAll(path: string): void {
  const lines: string[] = [];
  const walk = (dir: string): void => {
    for (const entry of Deno.readDirSync(dir)) {
      const at = `${dir}/${entry.name}`;
      if (entry.isDirectory) walk(at);
      else if (at.endsWith(".ts") && !at.endsWith("_test.ts")) lines.push(`import "file://${at}";`);
    }
  };
  walk(`${ROOT}/kernel`);
  Deno.writeTextFileSync(path, lines.join("\n") + "\n");
}

/** Runs a command of deno; its output. */
async function deno(...args: string[]): Promise<string> {
  const env = { NO_COLOR: "1" };
  const command = new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stderr: "inherit", env });
  const { success, stdout } = await command.output();
  const text = new TextDecoder().decode(stdout);
  if (!success) throw new Error(`deno ${args[0]} failed:\n${text}`);
  return text;
}

async function main(): Promise<void> {
  requireHost();
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-coverage-" });
  try {
    const units = selectFiles(testFiles(ROOT), ["kernel/"]);
    const all = `${dir}/all_test.ts`, data = `${dir}/data`;
    loadAll(all);
    const test = ["test", "-A", "--no-check", "--quiet", "--coverage-raw-data-only"];
    await deno(...test, `--coverage=${data}`, all, ...units);
    const only = ["--include=/kernel/", "--exclude=_test.ts|/kernel/testing/"];
    const lcov = await deno("coverage", "--quiet", "--lcov", ...only, data);
    console.log(report(parseLcov(lcov, ROOT)));
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

if (import.meta.main) await main();
