/**
 * `deno task test:svm`: the kvm platform on a processor that runs machines itself. Boots a Debian
 * kernel with kvm-amd in qemu, once with the processor's own nested paging and once without, and
 * runs `inside.ts` there. The last line is `N passed, N failed, N skipped`.
 *
 *     deno task test:svm [--npt=0|1] [NAME...]      the steps whose names have one of these in them
 *     deno task test:svm --npt=0 --sh=COMMAND       something else: to look at what fails
 *
 * Neighbour: `machine.ts`.
 */

import { parseArgs } from "@std/cli";
import { ensureBuilt } from "../../tools/build/ensure.ts";
import { requireHost, ROOT } from "../../tools/host_check.ts";
import { refuseOthers } from "../../tools/options.ts";
import { findKernel, type Kernel } from "../gofer/linux_kernel.ts";
import { qemuProblem, runMachine } from "./machine.ts";

/** LIMIT: seconds for one machine; both together shall take less than 20 minutes. */
const TIMEOUT_S = 1200;
const SUMS = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;

async function kernelOrReason(): Promise<Kernel | string> {
  return await qemuProblem() ?? await findKernel();
}

/** The script of the machine's shell. */
function script(shell: string | undefined, steps: readonly string[]): string {
  const words = [Deno.execPath(), "run", "-A", "--no-check", "tests/svm/inside.ts", ...steps];
  const command = shell ?? words.map((word) => `'${word}'`).join(" ");
  return `cd '${ROOT}'; export HOME='${Deno.env.get("HOME") ?? "/"}'\n${command}`;
}

/** @returns passed, failed, skipped */
async function runOnce(kernel: Kernel, npt: string, script: string): Promise<number[]> {
  const start = performance.now();
  const seconds = () => Math.round((performance.now() - start) / 1000).toString().padStart(4);
  const sums: number[] = [];
  console.log(`\nkvm-amd npt=${npt}`);
  const status = await runMachine({
    kernel,
    parameters: `npt=${npt}`,
    script,
    timeoutS: TIMEOUT_S,
    onLine: (line) => {
      const found = SUMS.exec(line);
      if (found !== null) sums.push(...found.slice(1).map(Number));
      else console.log(`${seconds()} ${line}`);
    },
  });
  const [passed = 0, failed = 0, skipped = 0] = sums;
  if (status === 0) return [passed, failed, skipped];
  console.log(`FAILED the machine with npt=${npt}: ${status ?? "it did not come to its end"}`);
  return [passed, failed + 1, skipped];
}

async function main(): Promise<number> {
  requireHost();
  const args = parseArgs(Deno.args, {
    string: ["npt", "sh", "_"],
    unknown: refuseOthers("deno task test:svm [--npt 0|1] [--sh COMMAND] [NAME...]"),
  });
  const runs = args.npt === undefined ? ["1", "0"] : [args.npt];
  const kernel = await kernelOrReason();
  const totals = [0, 0, 0];
  if (typeof kernel === "string") {
    for (const npt of runs) console.log(`skipped kvm-amd npt=${npt}: ${kernel}`);
    totals[2] = runs.length;
  } else {
    if (!await ensureBuilt(ROOT)) return 1;
    for (const npt of runs) {
      const counts = await runOnce(kernel, npt, script(args.sh, args._.map(String)));
      counts.forEach((count, i) => totals[i]! += count);
    }
  }
  const [passed = 0, failed = 0, skipped = 0] = totals;
  console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed > 0 ? 1 : 0;
}

Deno.exit(await main());
